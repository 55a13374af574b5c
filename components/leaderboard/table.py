"""The table of a comparison, as Markdown and as CSV."""

import csv
import io
from collections.abc import Sequence
from typing import NamedTuple

from components.leaderboard.noise import LEVEL, Difference, difference
from components.leaderboard.trials import BASELINE, TEACHER, Row

_BEFORE = ("", "trained by", "trials")
_AFTER = (
    "deviation",
    "last epoch, %",
    "best epoch, %",
    "over the baseline",
    "p",
    "to the best",
    "p",
    "of the teacher's",
    "seconds",
)
CSV_HEAD = (
    *("row", "trained_by", "trials", "accuracy", "deviation", "last_epoch", "best_epoch"),
    *("gain", "gain_deviation", "gain_p", "to_best", "to_best_deviation", "to_best_p"),
    *("teacher_share", "seconds", "published"),
)


class Entry(NamedTuple):
    """A row of the table.

    Attributes:
      row: the trials.
      gain: over the baseline; None of the teacher and the baseline.
      to_best: difference to the method with the best mean; None of that, the teacher and the
        baseline.
      share: of the teacher's accuracy; None of the teacher, or where that is unknown.
    """

    row: Row
    gain: Difference | None
    to_best: Difference | None
    share: float | None


class Leaderboard:
    """What a comparison has found.

    Args:
      rows: the networks, as `trials.rows` returns them; the baseline is one of them.
      published_source: where their published accuracies stand; empty if there are none.
    """

    def __init__(self, rows: Sequence[Row], published_source: str = ""):
        self.published_source = published_source
        by_name = {row.name: row for row in rows}
        baseline, teacher = by_name[BASELINE], by_name.get(TEACHER)
        methods = [row for row in rows if row.name not in (TEACHER, BASELINE)]
        self.entries = [
            Entry(
                row,
                difference(row, baseline) if row in methods else None,
                difference(row, methods[0]) if row in methods[1:] else None,
                row.mean / teacher.mean if teacher and row is not teacher else None,
            )
            for row in rows
        ]

    @property
    def has_published(self) -> bool:
        """Whether the literature has an accuracy of any of the networks."""
        return any(entry.row.published is not None for entry in self.entries)

    @property
    def methods(self) -> list[Entry]:
        """Those of the methods, the best mean first."""
        return [entry for entry in self.entries if entry.gain is not None]

    @property
    def as_good_as_the_best(self) -> list[str]:
        """The methods that cannot be told from the one with the best mean."""
        found = [(entry.row.name, entry.to_best) for entry in self.methods]
        return [name for name, behind in found if behind and behind.is_noise]

    @property
    def not_better_than_the_baseline(self) -> list[str]:
        """The methods whose difference to the baseline may be chance, or is a loss."""
        found = [(entry.row.name, entry.gain) for entry in self.methods]
        return [name for name, gain in found if gain and (gain.is_noise or gain.mean < 0)]

    @property
    def sentences(self) -> list[str]:
        """What the numbers mean, in words."""
        origin = [f"Original figures: {self.published_source}."] if self.has_published else []
        return [*self._chance, *origin]

    @property
    def _chance(self) -> list[str]:
        if not self.methods:
            return []
        best = self.methods[0].row
        if len(best.trials) == 1:
            return ["One trial of each: nothing can be said of what is chance."]
        test = f"paired t-test over {len(best.trials)} seeds, {LEVEL:.0%}"
        found = [f"The best mean is that of {best.name}."]
        if names := self.as_good_as_the_best:
            found.append(f"Within noise of it ({test}): {', '.join(names)}.")
        else:
            found.append(f"All others are worse, and not by chance ({test}).")
        if len(best.trials) == 2:
            found.append("Two seeds tell little: the test hardly finds a difference in them.")
        if names := self.not_better_than_the_baseline:
            found.append(f"Not better than the baseline by the same test: {', '.join(names)}.")
        return found


def markdown(board: Leaderboard) -> str:
    """Returns the table as Markdown, and what it means."""
    compared = board.has_published
    head = (*_BEFORE, *(("original, %", "ours, %") if compared else ("accuracy, %",)), *_AFTER)
    lines = [head, *(_texts(entry, compared) for entry in board.entries)]
    rows = [f"| {' | '.join(line)} |" for line in lines]
    return "\n".join([rows[0], "|---" * len(head) + "|", *rows[1:], "", *board.sentences, ""])


def comma_separated(board: Leaderboard) -> str:
    """Returns the table as CSV: numbers as they were found, shares and not per cent."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(CSV_HEAD)
    for row, gain, to_best, share in board.entries:
        measured = (row.mean, row.deviation, row.last, row.best)
        compared = (*_numbers(gain), *_numbers(to_best), share, row.seconds, row.published)
        writer.writerow([row.name, row.label, len(row.trials), *measured, *compared])
    return file.getvalue()


def _numbers(found: Difference | None) -> tuple[float | None, ...]:
    return (found.mean, found.deviation, found.p) if found else (None, None, None)


def _texts(entry: Entry, compared: bool) -> tuple[str, ...]:
    row, gain, to_best, share = entry
    return (
        row.name,
        row.label,
        str(len(row.trials)),
        *((_percent(row.published),) if compared else ()),
        _percent(row.mean),
        _percent(row.deviation),
        _percent(row.last),
        _percent(row.best),
        *_signed(gain),
        *_signed(to_best),
        "" if share is None else f"{share:.3f}",
        f"{row.seconds:.0f}",
    )


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f}"


def _signed(found: Difference | None) -> tuple[str, str]:
    """Returns a difference, and its p."""
    if found is None:
        return "", ""
    spread = "" if found.deviation is None else f" ± {100 * found.deviation:.2f}"
    return f"{100 * found.mean:+.2f}{spread}", "" if found.p is None else f"{found.p:.3f}"
