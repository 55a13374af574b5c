"""What a command loads: one that only reads ML Metadata must not wait for TensorFlow."""

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_CODE = """
import sys
from pipeline import cli
status = cli.main(sys.argv[1:])
print(*(module for module in ("tfx", "tensorflow", "keras") if module in sys.modules))
sys.exit(status)
"""


def heavy_modules(*words: object) -> list[str]:
    """Runs a command, which has to succeed; returns what it has loaded of what takes long."""
    ran = subprocess.run(
        [sys.executable, "-c", _CODE, *map(str, words)],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=120,
        encoding="utf-8",
    )
    return ran.stdout.splitlines()[-1].split()
