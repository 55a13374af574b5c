"""Secrets have no place in a configuration.

A run's configuration and command are kept: in ML Metadata, logs, reports, model cards and compiled
pipelines. What opens a door is therefore refused there, and read from the environment instead.
"""

import re
from collections.abc import Iterator
from typing import Any

from kd_trainer.errors import ConfigError

_IN_ADDRESS = re.compile(r"://[^\s/@:]*:[^\s/@]+@")
_NAMED = re.compile(
    r"(\w*(?:secret|passw|token|credential|connection_string|private_key)\w*)=.", re.IGNORECASE
)


def check(document: Any) -> None:
    """Refuses passwords in addresses, and options, such as Beam's, that are secrets by their name.

    Args:
      document: a configuration, which need not be valid.

    Raises:
      ConfigError: there is one; the message does not hold it.
    """
    for key, text in _texts(document, ""):
        if _IN_ADDRESS.search(text):
            raise ConfigError(
                f"{key}: found an address with a password in it. A configuration is kept in ML "
                "Metadata, logs and reports: leave the password out, and give it as the "
                "environment variable or file that the service's client reads."
            )
        if named := _NAMED.match(text):
            raise ConfigError(
                f"{key}: {named[1]!r} is a secret. A configuration is kept in ML Metadata, logs "
                "and reports: leave it out, and give it as the environment variable that its "
                "library reads, such as AWS_SECRET_ACCESS_KEY (in a cluster with "
                "kubeflow.secret_env)."
            )


def _texts(value: Any, key: str) -> Iterator[tuple[str, str]]:
    """Yields the texts of a document, each with its key."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _texts(item, f"{key}.{name}".lstrip("."))
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, key)
