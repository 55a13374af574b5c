"""The table of mutants."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.mutants.runner import SUITES, SURVIVED, UNDECIDED
from benchmarks.speed import machine

_RESULTS = (*SUITES, SURVIVED, UNDECIDED)


def render(rows: Sequence[Mapping[str, Any]]) -> str:
    """Returns the counts by files and operator, then each mutant that survived, as Markdown.

    Args:
      rows: mutants and outcomes, as the ledger holds them.
    """
    cells = {(row["group"], row["operator"]): Counter() for row in rows}
    for row in rows:
        cells[row["group"], row["operator"]][row["result"]] += 1
    all_of_them = sum(cells.values(), Counter())
    without_test = Counter(row["failure"] for row in rows if ".py" not in (row["failure"] or ".py"))
    left_out = sorted({test for row in rows for test in row["left_out"]})
    return "\n".join(
        [
            machine.header("Mutants", "benchmarks.mutants"),
            "Each mutant is one small edit of the product's code, tried with the tests that reach "
            "its line. `make test-all` counts what `make test` lets pass; linters and types are "
            "not part of either here. Undecided: the tests exceed the time limit without the edit "
            f"too. Killed without a failing test: {_counts(without_test)}. Tests left out, which "
            f"fail without an edit: {', '.join(left_out) or 'none'}.",
            "",
            "| files | operator | drawn | killed by `make test` | by `make test-all` | survived "
            "| undecided |",
            "|---|---|---|---|---|---|---|",
            *(
                f"| `{group}` | {operator} | {_numbers(cells[group, operator])} |"
                for group, operator in sorted(cells)
            ),
            f"| all | | {_numbers(all_of_them)} |",
            *_listed("Survived", rows, SURVIVED),
            *_listed("Undecided", rows, UNDECIDED),
            "",
        ]
    )


def _numbers(results: Counter) -> str:
    return " | ".join(str(number) for number in [results.total(), *(results[r] for r in _RESULTS)])


def _counts(failures: Counter) -> str:
    return ", ".join(f"{count} by {name}" for name, count in sorted(failures.items())) or "none"


def _listed(title: str, rows: Sequence[Mapping[str, Any]], result: str) -> list[str]:
    found = [row for row in rows if row["result"] == result]
    if not found:
        return []
    head = ["", f"## {title}", "", "| line | tests | edit |", "|---|---|---|"]
    return head + [
        f"| {row['file']}:{row['line']} | {row['tests']} "
        f"| `{_cell(row['before'])}` -> `{_cell(row['after'])}` |"
        for row in sorted(found, key=lambda row: (row["file"], row["line"]))
    ]


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("`", "'")
