"""What is found of a cluster: a line each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.markup import escape

from pipeline.run_command import FAILED

OK, WARNING, FAILURE = "ok", "warning", "failure"
_USERS = 2
_COLORS = {OK: "green", WARNING: "yellow", FAILURE: "red"}


@dataclass(frozen=True)
class Finding:
    """What was found of one thing.

    Attributes:
      subject: what was looked at.
      status: `warning` also for what could not be asked.
      text: what was found and, unless it is fine, what to do.
      servers: the server failed; nothing that the user can mend.
    """

    subject: str
    status: Literal["ok", "warning", "failure"]
    text: str
    servers: bool = False


def ok(subject: str, text: str) -> Finding:
    """Returns what is fine."""
    return Finding(subject, "ok", text)


def warning(subject: str, text: str) -> Finding:
    """Returns what may be fine, or could not be asked."""
    return Finding(subject, "warning", text)


def failure(subject: str, text: str) -> Finding:
    """Returns what the user has to mend."""
    return Finding(subject, "failure", text)


def show(console: Console, finding: Finding) -> None:
    """Prints a line."""
    color = _COLORS[finding.status]
    mark = f"[{color}]{finding.status:<7}[/]"
    console.print(f"{mark}  {escape(f'{finding.subject}: {finding.text}')}")


def exit_status(found: Sequence[Finding]) -> int:
    """Returns 0 if nothing failed, 1 if the server did, else 2."""
    failures = [each for each in found if each.status == FAILURE]
    if any(each.servers for each in failures):
        return FAILED
    return _USERS if failures else 0
