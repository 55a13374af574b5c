"""What runs: the commit, the code, the machine, the libraries."""

import hashlib
import os
import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

REVISION_VARIABLE = "TFX_DISTILL_REVISION"
PACKAGES = ("components", "kd_trainer", "pipeline", "schemas")
# What executes our code: another version may compute something else.
_LIBRARIES = ("apache-beam", "keras", "numpy", "tensorflow", "tfx")
_ROOT = Path(__file__).parents[2]


def libraries() -> dict[str, str]:
    """Returns the versions of the libraries that results depend on."""
    return {name: version(name) for name in _LIBRARIES}


def everything() -> str:
    """Returns a hash of all our modules."""
    digest = hashlib.sha256()
    for path in sorted(path for package in PACKAGES for path in (_ROOT / package).rglob("*.py")):
        digest.update(f"\n{path.relative_to(_ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def environment() -> dict[str, Any]:
    """Says what machine this is, and which versions are installed."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu(),
        "libraries": libraries(),
    }


def code() -> dict[str, Any]:
    """Says which commit runs, whether the packages differ from it, and what is in them."""
    # The folder itself: an installed package may lie within somebody else's checkout.
    revision = _git("rev-parse", "HEAD") if (_ROOT / ".git").exists() else None
    if revision is None:
        found = {"revision": os.environ.get(REVISION_VARIABLE, ""), "modified": False}
        return {**found, "fingerprint": everything()}
    changes = _git("status", "--porcelain", "--", *PACKAGES)
    return {"revision": revision, "modified": bool(changes), "fingerprint": everything()}


def _git(*arguments: str) -> str | None:
    """Returns what git answers; None if it is not there or the folder is no checkout for it."""
    if not shutil.which("git"):
        return None
    # In a container the checkout may belong to somebody else, which git would refuse.
    options = ["--no-optional-locks", "-C", str(_ROOT), "-c", f"safe.directory={_ROOT}"]
    finished = subprocess.run(
        ["git", *options, *arguments], capture_output=True, text=True, encoding="utf-8"
    )
    return finished.stdout.strip() if finished.returncode == 0 else None


def _cpu() -> str:
    """Returns the processor's model, as Linux tells it."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
