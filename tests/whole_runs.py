"""Whole runs in this process, so that TFX is loaded once, and what is read of them."""

import json
from pathlib import Path

from small_runs import SMALL, sets

from pipeline import cli

TRAINING = {"Trainer.teacher", "Trainer.baseline", "DistillTrainer"}


class Ran:
    """What a run printed and returned, and which nodes it executed.

    Args:
      status: the exit status.
      printed: standard output and error.
    """

    def __init__(self, status: int, printed: str):
        self.status = status
        self.printed = printed
        ended = [line.split() for line in printed.splitlines() if line.startswith(("✓", "✗"))]
        self.cached = {words[1] for words in ended if words[-1] == "cached"}
        self.executed = {words[1] for words in ended} - self.cached


class Workdir:
    """Runs commands on one workdir.

    Args:
      path: the workdir.
      capfd: pytest's.
      settings: of each run, beside what it is given.
    """

    def __init__(self, path: Path, capfd, settings=SMALL):
        self.path = path
        self._capfd = capfd
        self._settings = settings

    def run(self, *words: str, **settings) -> Ran:
        """Runs the pipeline; `gate__min_change` is `gate.min_change`."""
        return self.command("run", *sets(self._settings, **settings), *words)

    def command(self, *words: str) -> Ran:
        """Runs a command."""
        status = cli.main([*words, "--workdir", str(self.path)])
        captured = self._capfd.readouterr()
        return Ran(status, captured.out + captured.err)

    def read(self, *words: str):
        """Returns the document that a command prints."""
        assert cli.main([*words, "--json", "--workdir", str(self.path)]) == 0
        return json.loads(self._capfd.readouterr().out)

    def versions(self) -> list[Path]:
        """Returns what was pushed, the oldest first."""
        return sorted((self.path / "serving" / "quick").glob("[0-9]*"))
