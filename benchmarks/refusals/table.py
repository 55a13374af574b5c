"""The table of refusals."""

from collections.abc import Sequence
from typing import NamedTuple

_GOAL_SECONDS = 20
_SHOWN = 160  # letters of an error


class Refusal(NamedTuple):
    """How a command refused its input.

    Attributes:
      name: of the input.
      status: the exit status.
      seconds: from the process's start to its end.
      errors: what it printed to stderr.
    """

    name: str
    status: int
    seconds: float
    errors: str


def render(refusals: Sequence[Refusal]) -> str:
    """Returns the table as Markdown, with the slowest named."""
    slowest = max(refusals, key=lambda refusal: refusal.seconds)
    lines = [
        "# Refusals",
        "",
        "`python -m benchmarks.refusals`",
        "",
        "Each input is given to a process of its own; the seconds are from its start to its end, "
        "and those of a machine that did other work beside: upper bounds. The inputs are the rows "
        "of `tests/bad_input/table.py`, which says what each error must hold.",
        "",
        f"{len(refusals)} inputs; the slowest, {slowest.name!r}, took {slowest.seconds:.1f} s. "
        f"The goal is less than {_GOAL_SECONDS} s.",
        "",
        "| input | exit status | seconds | the error begins |",
        "|---|---|---|---|",
        *(
            f"| {_cell(name)} | {status} | {seconds:.1f} | `{_cell(_first_line(errors))}` |"
            for name, status, seconds, errors in refusals
        ),
    ]
    return "\n".join([*lines, ""])


def _first_line(errors: str) -> str:
    # argparse says how the command is used first.
    told = [line for line in errors.splitlines() if line.startswith("tfx-distill")]
    line = told[0] if told else ""
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]} ..."


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("`", "'")
