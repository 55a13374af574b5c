"""The table of a ledger."""

import platform
import statistics
from importlib.metadata import version
from typing import Any

from benchmarks.accuracy.ledger import Ledger

_HEAD = [
    "| | trained by | runs | last epoch, mean % | deviation | best epoch, mean % "
    "| gain over the baseline | seconds a run |",
    "|---|---|---|---|---|---|---|---|",
]


def render(ledger: Ledger, command: str, setting: str) -> str:
    """Returns a Markdown table of the finished runs; gains are paired by seed.

    Args:
      ledger: the runs.
      command: what makes it.
      setting: what was trained on what.
    """
    rows: dict[str, list[dict[str, Any]]] = {}
    for run in ledger.runs:
        rows.setdefault(run["row"], []).append(run)
    baseline = {run["seed"]: run["last"] for run in rows.get("baseline", [])}
    versions = ", ".join(f"{name} {version(name)}" for name in ("tensorflow", "keras", "numpy"))
    return "\n".join(
        [
            "# Test accuracy of every method",
            "",
            f"`{command}`",
            "",
            f"{setting}. {versions}, {platform.machine()}.",
            "",
            *_HEAD,
            *(_line(row, runs, baseline) for row, runs in rows.items()),
            "",
        ]
    )


def _line(row: str, runs: list[dict[str, Any]], baseline: dict[int, float]) -> str:
    label, seconds = runs[0]["label"], statistics.mean(run["seconds"] for run in runs)
    start = f"| {row} | {label} | {len(runs)} |"
    if any(run["failure"] for run in runs):
        return f"{start} diverged | | | | {seconds:.0f} |"
    last, best = ([run[name] for run in runs] for name in ("last", "best"))
    gains = [run["last"] - baseline[run["seed"]] for run in runs if run["seed"] in baseline]
    gain = f"{statistics.mean(gains):+.2f} ± {deviation(gains)}" if row != "teacher" else ""
    return (
        f"{start} {statistics.mean(last):.2f} | {deviation(last)} | {statistics.mean(best):.2f} "
        f"| {gain} | {seconds:.0f} |"
    )


def deviation(values: list[float]) -> str:
    """Returns the standard deviation over the runs, as a cell."""
    return f"{statistics.stdev(values):.2f}" if len(values) > 1 else "-"
