"""What a server refused or failed to do, in a line that says what to do about it."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from kd_trainer.errors import ConfigError

if TYPE_CHECKING:
    import kfp_server_api
    import urllib3

# kfp reads the second itself; the others it takes as arguments only.
TOKEN = "KF_PIPELINES_TOKEN"
TOKEN_FILE = "KF_PIPELINES_SA_TOKEN_PATH"
COOKIES = "KF_PIPELINES_COOKIES"
PORT_FORWARD = "kubectl port-forward -n kubeflow svc/ml-pipeline 8888"

# What the user can mend.
_REMEDIES = {
    HTTPStatus.BAD_REQUEST: "The server does not take what was asked for",
    HTTPStatus.UNAUTHORIZED: "The server wants to know who you are: put a token into "
    f"{TOKEN}, the path of a file with one into {TOKEN_FILE}, or a session's cookie into "
    f"{COOKIES}; what is there now is wrong or has expired",
    HTTPStatus.FORBIDDEN: "You may not do that: check --namespace and whose token or cookie you "
    "give, and ask whoever runs the cluster for the right",
    HTTPStatus.NOT_FOUND: "What was asked for is not there; somebody may have just deleted it",
    HTTPStatus.CONFLICT: "The name is taken: somebody created it just now (run the command again), "
    "or it is another's (choose another name)",
}


class ServerError(RuntimeError):
    """The server failed or did not answer; nothing that the user did wrong."""


@contextmanager
def explained(host: str) -> Iterator[None]:
    """Turns the errors of Kubeflow's client into ones that a person can read.

    Args:
      host: whom the client asks.

    Raises:
      ConfigError: the server refused what the user can mend.
      ServerError: the server failed, or did not answer.
    """
    import kfp_server_api
    import urllib3

    try:
        yield
    except kfp_server_api.ApiException as error:
        raise _refusal(host, error) from error
    except urllib3.exceptions.HTTPError as error:
        raise ServerError(_silence(host, error)) from error


def _refusal(host: str, error: "kfp_server_api.ApiException") -> Exception:
    answer = f"{host} answered {error.status} {error.reason}: {_message(error.body)}".rstrip(": ")
    if error.status in _REMEDIES:
        return ConfigError(f"{_REMEDIES[error.status]}. {answer}")
    return ServerError(
        f"{answer}. Try again later; if it stays so, see the server's log: "
        "kubectl logs -n kubeflow deploy/ml-pipeline"
    )


def _silence(host: str, error: "urllib3.exceptions.HTTPError") -> str:
    from urllib3 import exceptions

    cause = getattr(error, "reason", None) or error
    if isinstance(cause, exceptions.ReadTimeoutError):
        return (
            f"{host} did not answer in time. It may have done what was asked for: look with "
            "`tfx-distill kubeflow list` before running the command again"
        )
    if isinstance(cause, exceptions.SSLError):
        return (
            f"The certificate of {host} is not trusted: {cause}. Go past it with {PORT_FORWARD} "
            "and --host http://localhost:8888"
        )
    # Of a pair the first says little, and a text may begin with the object that it is about.
    what = re.sub(r"^<.*?>: ", "", str(cause.args[-1]))
    return (
        f"{host} cannot be reached: {what}. Check --host, and that the port-forward still runs if "
        f"it goes through one: {PORT_FORWARD}"
    )


def _message(body: str | None) -> str:
    """Returns, in a line, what the API or a proxy before it says in an error's body."""
    try:
        content = json.loads(body or "{}")
        text = content.get("message") or content.get("error_message") or content.get("error") or ""
    except (ValueError, AttributeError):
        text = re.sub(r"<[^>]*>", " ", body or "")
    line = " ".join(str(text).split())
    return line if len(line) <= 300 else f"{line[:300]}..."
