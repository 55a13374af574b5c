"""The table of a long use: a row for as many runs as lie between two collections."""

from collections.abc import Sequence
from statistics import median
from typing import Any


def render(runs: Sequence[dict[str, Any]], command: str, setting: str) -> str:
    """Returns the table as Markdown.

    Args:
      runs: the ledger's lines; a row of the table ends with a line that has a `gc`.
      command: what made it.
      setting: what a run was, in words.
    """
    lines = [
        "# Long use",
        "",
        f"`{command}`",
        "",
        setting,
        "",
        f"Finished so far: {len(runs)} runs.",
        "",
        "Medians of a run's seconds, by the clock and (CPU) of all its threads, and the most "
        "memory of one; sizes after the `gc` that ends the row. The folder `pipelines` is the "
        "artifacts that were kept.",
        "",
        "| runs | changed, s | CPU | unchanged, s | CPU | peak, MB | ML Metadata, MB | a run, kB "
        "| `pipelines`, MB | `serving`, MB | versions | logs | gc, s | `runs`, s |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for first, row in _rows(runs):
        gc = row[-1]["gc"]
        last = first + len(row) - 1
        a_run = (gc["metadata"] - row[0]["metadata"]) / (len(row) - 1)
        cells = [
            f"{first + 1} to {last + 1}",
            *(_seconds(row, changed, of) for changed in (True, False) for of in ("seconds", "cpu")),
            f"{max(run['peak'] for run in row) / 1e6:.0f}",
            f"{gc['metadata'] / 1e6:.2f}",
            f"{a_run / 1e3:.0f}",
            f"{gc['pipelines'] / 1e6:.1f}",
            f"{gc['serving'] / 1e6:.1f}",
            str(gc["versions"]),
            str(gc["logs"]),
            f"{gc['seconds']:.1f}",
            f"{gc['listing']:.1f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _rows(runs: Sequence[dict[str, Any]]) -> list[tuple[int, Sequence[dict[str, Any]]]]:
    rows, first = [], 0
    for number, run in enumerate(runs):
        if "gc" in run:
            rows.append((first, runs[first : number + 1]))
            first = number + 1
    return rows


def _seconds(row: Sequence[dict[str, Any]], changed: bool, of: str) -> str:
    found = [run[of] for run in row if (run["change"] != "nothing") == changed]
    return f"{median(found):.1f}" if found else ""
