"""Documents in a line, as people and programs give them."""

import json
from typing import Any

from kd_trainer import strict_yaml
from kd_trainer.errors import ConfigError


def parse(text: str, key: str) -> Any:
    """Returns what a text in JSON or YAML holds.

    Args:
      text: the document.
      key: what it is called, for the error.

    Raises:
      ConfigError: it is neither.
    """
    try:
        return json.loads(text)  # first: YAML takes JSON's 1e-05 for a word
    except ValueError:
        pass
    try:
        return strict_yaml.load(text)
    except ValueError as error:
        raise ConfigError(f"{key}: {text!r} is not valid YAML: {error}") from None
