"""The table "original | ours" of a ledger."""

import statistics
from collections.abc import Sequence
from typing import Any

from benchmarks.accuracy.ledger import Ledger
from benchmarks.accuracy.table import deviation
from benchmarks.fullscale.rows import (
    BEST_PUBLISHED,
    STUDENT,
    TEACHER,
    TEACHER_ROW,
    Row,
    baseline,
)

_HEAD = [
    "| | original | ours: last epoch, mean % | deviation | best epoch, mean % | runs "
    "| gain over the student alone | minutes a run | precision, device |",
    "|---|---|---|---|---|---|---|---|---|",
]


_FULL = f"{TEACHER} -> {STUDENT} on CIFAR-100, all 50,000 training images."
_REHEARSAL = (
    "**A rehearsal on small networks and a few images, two epochs each: its accuracies have "
    "nothing to do with the original's.**"
)


def render(ledger: Ledger, rows: Sequence[Row], rehearsed: bool) -> str:
    """Returns a Markdown table of all rows; what was not run has no figure.

    Args:
      ledger: the finished runs.
      rows: the students'.
      rehearsed: whether the runs are not of full scale.
    """
    return "\n".join(
        [
            "# Test accuracy at full scale",
            "",
            "`python -m benchmarks.fullscale train`, in calls of minutes; see benchmarks/README.md",
            "",
            f"{_REHEARSAL if rehearsed else _FULL} Top-1, %. The original's figures are those of "
            f"its last epoch; the best one published for this pair that we know is "
            f"{BEST_PUBLISHED}. Gains are paired by seed, with the student alone under the same "
            "recipe.",
            "",
            *_HEAD,
            *(_line(row, ledger) for row in [TEACHER_ROW, *rows]),
            "",
        ]
    )


def _line(row: Row, ledger: Ledger) -> str:
    runs = [run for run in ledger.runs if run["row"] == row.name]
    start = f"| {row.name} | {f'{row.published:.2f}' if row.published else '-'} |"
    if not runs:
        return f"{start} not run | | | 0 | | | |"
    ended = [run for run in runs if not run["failure"]]
    how = ", ".join(sorted({f"{run['recipe']['precision']}, {run['device']}" for run in runs}))
    if len(ended) < len(runs):
        return f"{start} {len(runs) - len(ended)} diverged | | | {len(runs)} | | | {how} |"
    last, best = ([run[name] for run in runs] for name in ("last", "best"))
    minutes = statistics.mean(run["seconds"] for run in runs) / 60
    return (
        f"{start} {statistics.mean(last):.2f} | {deviation(last)} | {statistics.mean(best):.2f} "
        f"| {len(runs)} | {_gain(row, runs, ledger)} | {minutes:.1f} | {how} |"
    )


def _gain(row: Row, runs: Sequence[dict[str, Any]], ledger: Ledger) -> str:
    alone = {run["seed"]: run["last"] for run in ledger.runs if run["row"] == baseline(row.recipe)}
    gains = [run["last"] - alone[run["seed"]] for run in runs if alone.get(run["seed"])]
    if row.method is None or not gains:
        return ""
    return f"{statistics.mean(gains):+.2f} ± {deviation(gains)}"
