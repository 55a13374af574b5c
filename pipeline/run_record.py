"""What a run is, for the record: the command, the configuration, the code, the environment."""

import os
from collections.abc import Sequence
from typing import Any

from components.run_recorder import origin
from kd_trainer import strict_yaml
from pipeline import store
from pipeline.config import RunConfig
from pipeline.request import Request

# The keys that are paths: what is recorded must not depend on the folder one was in.
_PATHS = {"data.path", "data.schema_path", "teacher.from", "student.from", "push.directory"}


def command(request: Request) -> list[str]:
    """Returns the command line, in words, as it can be typed in any folder; without a password.

    Args:
      request: what is asked for; `pipeline.config.load` took its overrides.
    """
    sets = [word for override in request.overrides for word in ("--set", _typed(override))]
    words = ["tfx-distill", request.verb, "--preset", request.preset, *sets]
    where = ["--metadata", store.name(request.metadata)] if request.metadata else []
    return [*words, "--workdir", str(request.workdir), *where]


def document(config: RunConfig, command: Sequence[str]) -> dict[str, Any]:
    """Returns the record of a run.

    Args:
      config: the run.
      command: what `command` gave.
    """
    return {
        "command": list(command),
        "config": settings(config),
        "code": origin.code(),
        "environment": origin.environment(),
    }


def settings(config: RunConfig) -> dict[str, Any]:
    """Returns the whole configuration, with absolute paths."""
    return _absolute("", config.model_dump(mode="json"))


def _typed(override: str) -> str:
    key, _, text = override.partition("=")
    value = strict_yaml.load(text)
    absolute = _absolute(key.strip(), value)
    return override if absolute == value else f"{key}={strict_yaml.dump(absolute)}"


def _absolute(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _absolute(f"{key}.{name}".lstrip("."), item) for name, item in value.items()}
    return os.path.abspath(value) if key in _PATHS and value else value
