"""What a table of times says of where it was made."""

import os
import platform
import shlex
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("tensorflow", "jax", "keras", "numpy")


def header(table: str, module: str = "benchmarks.speed") -> str:
    """Returns the title, the command, the processor and the versions."""
    command = shlex.join(["python", "-m", module, *map(_named, sys.argv[1:])])
    load = os.getloadavg()[0]
    return "\n".join(
        [
            f"# {table}",
            "",
            f"`{command}`",
            "",
            f"{_processor()}, {len(os.sched_getaffinity(0))} cores, load before {load:.1f}; "
            f"Python {platform.python_version()}, {', '.join(_versions(_PACKAGES))}.",
            "",
        ]
    )


def _named(word: str) -> str:
    """Returns a word of the command without the folders of this machine."""
    path = Path(word)
    return path.name if path.is_absolute() or ".." in path.parts else word


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    fields = {key.strip(): value.strip() for key, _, value in (x.partition(":") for x in lines)}
    flags = fields.get("flags", "").split()
    has = [flag for flag in ("avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    return f"{fields.get('model name', platform.machine())} ({', '.join(has) or 'no AVX-512'})"


def _versions(packages: Sequence[str]) -> list[str]:
    found = []
    for package in packages:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return found
