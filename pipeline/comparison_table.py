"""The table of a comparison, as narrow as a terminal wants it; its files have all columns."""

import csv
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from components.artifacts import ComparisonTable
from components.leaderboard.noise import LEVEL

_AFTER = ("gain", "of teacher", "to the best")


def show(console: Console, folder: Path) -> None:
    """Prints the table, what its numbers mean, and where its files are.

    Args:
      console: where to.
      folder: of a `ComparisonTable`.
    """
    with open(folder / ComparisonTable.CSV_NAME, encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    compared = any(row["published"] for row in rows)
    table = Table(title="On the test split", title_justify="left")
    table.add_column("", no_wrap=True)
    for head in (*(("original, %", "ours, %") if compared else ("accuracy, %",)), *_AFTER):
        table.add_column(head, justify="right", no_wrap=True)
    for row in rows:
        original = [_spread(row["published"], "")] if compared else []
        table.add_row(row["row"], *original, *_cells(row))
    console.print()
    console.print(table)
    # Below the Markdown's table it says in words what is chance.
    _, _, sentences = (
        (folder / ComparisonTable.MARKDOWN_NAME).read_text(encoding="utf-8").partition("\n\n")
    )
    console.print(sentences.strip(), highlight=False, soft_wrap=True)
    for name in (ComparisonTable.PAGE_NAME, ComparisonTable.CSV_NAME, ComparisonTable.CURVES_NAME):
        console.print(f"  {escape(str(folder / name))}", highlight=False, soft_wrap=True)


def _cells(row: Mapping[str, str]) -> tuple[str, ...]:
    share = f"{float(row['teacher_share']):.1%}" if row["teacher_share"] else ""
    gain = _spread(row["gain"], row["gain_deviation"], "+")
    return _spread(row["accuracy"], row["deviation"]), gain, share, _to_best(row)


def _spread(mean: str, deviation: str, sign: str = "") -> str:
    if not mean:
        return ""
    spread = f" ± {100 * float(deviation):.2f}" if deviation else ""
    return f"{100 * float(mean):{sign}.2f}{spread}"


def _to_best(row: Mapping[str, str]) -> str:
    if not row["to_best"]:
        return "best" if row["gain"] else ""
    if not row["to_best_p"]:
        return f"{100 * float(row['to_best']):+.2f}"
    return "within noise" if float(row["to_best_p"]) >= LEVEL else "less"
