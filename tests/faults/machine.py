"""Commands in processes of their own, on a machine that is not in order."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from small_runs import SMALL, sets

ROOT = Path(__file__).parents[2]
_COMMAND = """
import sys
from pipeline import cli
sys.exit(cli.main(sys.argv[1:]))
"""
started: list[subprocess.Popen] = []
"""All that were, to be ended after a test that fails."""


def start(
    workdir: Path, *words: str, before: tuple[str, ...] = (), code: str = "", **settings: Any
) -> subprocess.Popen:
    """Starts `run`, or the command that the words are of; both its outputs are read as one.

    Args:
      workdir: the run's.
      *words: command and options.
      before: what the command is started by.
      code: what its process does first.
      **settings: beside `SMALL`; `gate__min_change` is `gate.min_change`.
    """
    command = [*before, sys.executable, "-c", code + _COMMAND, *(words or ("run",))]
    process = subprocess.Popen(
        [*command, "--workdir", str(workdir), *sets(SMALL, **settings)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    started.append(process)
    return process


def seen(process: subprocess.Popen, *words: str) -> str:
    """Reads what is printed up to the first line that holds all the words."""
    lines = []
    for line in process.stdout:
        lines.append(line)
        if all(word in line for word in words):
            return "".join(lines)
    raise AssertionError(f"{words} not seen; status {process.wait()}:\n{''.join(lines)}")


def ended(process: subprocess.Popen) -> tuple[int, str]:
    """Returns the exit status, and what was printed since it was looked at last."""
    printed, _ = process.communicate(timeout=1200)
    return process.returncode, printed


def stopped(process: subprocess.Popen) -> tuple[int, str]:
    """Ends a command by SIGTERM; returns what `ended` does."""
    process.send_signal(signal.SIGTERM)
    return ended(process)


def refused(status: int, printed: str, *words: str, by: int = 1) -> str:
    """Checks that a command has ended with an error that holds the words; returns what it said."""
    assert status == by, printed
    for part in words:
        assert part in printed, printed
    assert "Traceback" not in printed
    return printed
