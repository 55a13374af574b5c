"""What a run is, for the record: the command, the configuration, the code, the environment."""

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from ml_metadata.proto import metadata_store_pb2

from pipeline import fingerprint, store
from pipeline.config import RunConfig

REVISION_VARIABLE = "TFX_DISTILL_REVISION"
_ROOT = Path(__file__).parent.parent
# The keys that are paths: what is recorded must not depend on the folder one was in.
_PATHS = {"data.path", "data.schema_path", "teacher.from", "student.from", "push.directory"}


def command(
    preset: str,
    overrides: Sequence[str],
    workdir: Path,
    metadata: metadata_store_pb2.ConnectionConfig | None,
) -> list[str]:
    """Returns the command line, in words, as it can be typed in any folder; without a password.

    Args:
      preset: the preset's name.
      overrides: `key=value` each, of which `pipeline.config.load` made the configuration.
      workdir: absolute.
      metadata: where ML Metadata is, if that was asked for.
    """
    sets = [word for override in overrides for word in ("--set", _typed(override))]
    where = ["--metadata", store.name(metadata)] if metadata else []
    return ["tfx-distill", "run", "--preset", preset, *sets, "--workdir", str(workdir), *where]


def document(config: RunConfig, command: Sequence[str]) -> dict[str, Any]:
    """Returns the record of a run.

    Args:
      config: the run.
      command: what `command` gave.
    """
    return {
        "command": list(command),
        "config": _absolute("", config.model_dump(mode="json")),
        "code": {**_revision(), "fingerprint": fingerprint.everything()},
        "environment": {
            "python": platform.python_version(),
            "platform": platform.platform(),
            "cpu": _cpu(),
            "libraries": fingerprint.libraries(),
        },
    }


def _typed(override: str) -> str:
    key, _, text = override.partition("=")
    value = yaml.safe_load(text)
    absolute = _absolute(key.strip(), value)
    if absolute == value:
        return override
    dumped = yaml.safe_dump(absolute, default_flow_style=True, width=float("inf"))
    return f"{key}={dumped.splitlines()[0]}"


def _absolute(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _absolute(f"{key}.{name}".lstrip("."), item) for name, item in value.items()}
    return os.path.abspath(value) if key in _PATHS and value else value


def _revision() -> dict[str, Any]:
    """Says which commit runs, and whether the packages differ from it."""
    # The folder itself: an installed package may lie within somebody else's checkout.
    revision = _git("rev-parse", "HEAD") if (_ROOT / ".git").exists() else None
    if revision is None:
        return {"revision": os.environ.get(REVISION_VARIABLE, ""), "modified": False}
    changes = _git("status", "--porcelain", "--", *fingerprint.PACKAGES)
    return {"revision": revision, "modified": bool(changes)}


def _git(*arguments: str) -> str | None:
    """Returns what git answers; None if it is not there or the folder is no checkout for it."""
    if not shutil.which("git"):
        return None
    # In a container the checkout may belong to somebody else, which git would refuse.
    options = ["--no-optional-locks", "-C", str(_ROOT), "-c", f"safe.directory={_ROOT}"]
    finished = subprocess.run(["git", *options, *arguments], capture_output=True, text=True)
    return finished.stdout.strip() if finished.returncode == 0 else None


def _cpu() -> str:
    """Returns the processor's model, as Linux tells it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
