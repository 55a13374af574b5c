"""The way to a Kubeflow Pipelines server: its address, and who asks."""

import json
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kfp
import kfp_server_api
from google.auth.exceptions import GoogleAuthError
from kfp.client import (
    KF_PIPELINES_SA_TOKEN_ENV,
    KF_PIPELINES_SA_TOKEN_PATH,
    ServiceAccountTokenVolumeCredentials,
)

from kd_trainer.errors import ConfigError
from pipeline.cluster.errors import COOKIES, PORT_FORWARD, TOKEN, explained
from pipeline.cluster.generated_api import call

# Seconds to connect in, and to wait for an answer; kfp itself waits for ever.
TIMEOUT = (10, 60)


@contextmanager
def connected(host: str, namespace: str | None) -> Iterator[tuple["Client", str]]:
    """Connects to a server, and makes what it refuses readable.

    Who asks is told as `kfp.Client` takes it: by a bearer token (KF_PIPELINES_TOKEN, or the file
    that KF_PIPELINES_SA_TOKEN_PATH names or that a pod has by itself, which may be renewed any
    time), by a session's cookies (KF_PIPELINES_COOKIES, or kfp's own context file), or by Google's
    Identity-Aware Proxy (KF_PIPELINES_IAP_OAUTH2_CLIENT_ID and the like, which kfp reads).

    Args:
      host: begins with http:// or https://.
      namespace: of the user, where the server has many; None elsewhere.

    Yields:
      A client that has had an answer from the server, and the user's namespace: the one given, else
      the one in kfp's context file, else an empty text.

    Raises:
      ConfigError: the server refused what the user can mend.
      ServerError: the server failed, or did not answer.
    """
    with explained(host):
        client = _connect(host, namespace)
        health = client.get_kfp_healthz()
        # kfp itself takes the name kubeflow for none.
        chosen = namespace or client.get_user_namespace()
        if health.multi_user and not chosen:
            raise ConfigError(f"{host} serves many users: give your namespace with --namespace.")
        yield client, chosen


class Client(kfp.Client):
    """Kubeflow's client, which gives up in time.

    Attributes:
      health: the server's last answer to `get_kfp_healthz`, of which kfp's model keeps one field.
    """

    health: Mapping[str, Any]

    def get_kfp_healthz(self, sleep_duration: int = 0) -> kfp_server_api.V2beta1GetHealthzResponse:
        """Asks the server whether it is there, once.

        kfp asks five times with pauses and prints a traceback for each, so that a wrong token takes
        half a minute. It also takes a login page for an answer, as every proxy gives one with 200.

        Raises:
          ConfigError: something else answers under this address.
        """
        try:
            ask = call(self._healthz_api, "get_healthz")
            answer = ask(_preload_content=False, _request_timeout=TIMEOUT)
            content = json.loads(answer.data)
        except ValueError as error:
            raise ConfigError(
                f"{self._existing_config.host} answered with a page, not with Kubeflow Pipelines' "
                f"API: it wants a login. Put your session's cookie into {COOKIES} or a token into "
                f"{TOKEN}, or go past it with {PORT_FORWARD}"
            ) from error
        except kfp_server_api.ApiException as error:
            if error.status != 404:
                raise
            raise ConfigError(
                f"{self._existing_config.host} has no API of Kubeflow Pipelines 2, no "
                "/apis/v2beta1. Check --host and the path in it; Kubeflow Pipelines 1 will not do."
            ) from error
        self.health = content
        return kfp_server_api.V2beta1GetHealthzResponse(multi_user=content.get("multi_user"))


def _connect(host: str, namespace: str | None) -> Client:
    token_file = os.environ.get(KF_PIPELINES_SA_TOKEN_ENV)
    if token_file and not Path(token_file).is_file():
        raise ConfigError(f"{KF_PIPELINES_SA_TOKEN_ENV}: there is no file {token_file!r}.")
    has_token = Path(token_file or KF_PIPELINES_SA_TOKEN_PATH).is_file()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # that it is not for Kubeflow 1
            client = Client(
                host=host,
                existing_token=os.environ.get(TOKEN),
                cookies=os.environ.get(COOKIES),
                credentials=ServiceAccountTokenVolumeCredentials() if has_token else None,
                **({"namespace": namespace} if namespace else {}),
            )
    except GoogleAuthError as error:
        raise ConfigError(f"Google's Identity-Aware Proxy: {error}") from error
    # It tells of every try. (kfp sets the level of `urllib3` itself, again and again.)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
    return client
