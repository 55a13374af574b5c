"""The runs of the benchmark that are finished, on disk."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class Ledger:
    """A file of JSON lines, one a finished run: row, seed, label, accuracies, seconds, history."""

    def __init__(self, path: Path):
        self._path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self.runs: list[dict[str, Any]] = [json.loads(line) for line in lines]

    def has(self, row: str, seed: int) -> bool:
        """Returns whether a run is finished."""
        return any(run["row"] == row and run["seed"] == seed for run in self.runs)

    def add(
        self,
        row: str,
        seed: int,
        label: str,
        history: list[dict[str, Any]],
        seconds: float,
        failure: str | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Appends a run.

        Args:
          row: the table's row.
          seed: the run's.
          label: what was trained, with its preset.
          history: a row an epoch; `val_accuracy` is the accuracy on the test split.
          seconds: the run's wall-clock time.
          failure: why it stopped, if it did.
          facts: what else is kept with it, by key.
        """
        accuracies = [100 * epoch["val_accuracy"] for epoch in history if "val_accuracy" in epoch]
        run = {
            "row": row,
            "seed": seed,
            "label": label,
            "last": accuracies[-1] if accuracies else None,
            "best": max(accuracies, default=None),
            "seconds": seconds,
            "failure": failure,
            **(facts or {}),
            "history": history,
        }
        run = _rounded(run)
        self.runs.append(run)
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps(run) + "\n")

    def describe(self, row: str, seed: int) -> str:
        """Returns a finished run in a line."""
        [run] = [run for run in self.runs if run["row"] == row and run["seed"] == seed]
        result = run["failure"] or f"last {run['last']:.2f}, best {run['best']:.2f}"
        return f"{row}, seed {seed}: {result}, {run['seconds']:.0f} s"


def _rounded(value: Any) -> Any:
    """Returns a document with six digits of each number."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value
