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
    "best epoch, %",
    "over the baseline",
    "p",
    "of the teacher's",
    "seconds",
)


class Entry(NamedTuple):
    """A row of the table.

    Attributes:
      row: the trials.
      gain: over the baseline; None of the teacher and the baseline.
      share: of the teacher's accuracy; None of the teacher, or where that is unknown.
    """

    row: Row
    gain: Difference | None
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
        self.entries = [
            Entry(
                row,
                None if row.name in (TEACHER, BASELINE) else difference(row, baseline),
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
        best, *others = self.methods
        return [e.row.name for e in others if difference(e.row, best.row).is_noise]

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
            found.append(f"Not told from it ({test}): {', '.join(names)}.")
        else:
            found.append(f"It is told from all others ({test}).")
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
    names = ("row", "trained_by", "trials", "accuracy", "deviation", "best_epoch", "gain")
    writer.writerow([*names, "gain_deviation", "p", "teacher_share", "seconds", "published"])
    for row, gain, share in board.entries:
        gains = (gain.mean, gain.deviation, gain.p) if gain else (None, None, None)
        found = (row.mean, row.deviation, row.best, *gains, share, row.seconds, row.published)
        writer.writerow([row.name, row.label, len(row.trials), *found])
    return file.getvalue()


def _texts(entry: Entry, compared: bool) -> tuple[str, ...]:
    row, gain, share = entry
    return (
        row.name,
        row.label,
        str(len(row.trials)),
        *((_percent(row.published),) if compared else ()),
        _percent(row.mean),
        _percent(row.deviation),
        _percent(row.best),
        "" if gain is None else _signed(gain),
        "" if gain is None or gain.p is None else f"{gain.p:.3f}",
        "" if share is None else f"{share:.3f}",
        f"{row.seconds:.0f}",
    )


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f}"


def _signed(gain: Difference) -> str:
    spread = "" if gain.deviation is None else f" ± {100 * gain.deviation:.2f}"
    return f"{100 * gain.mean:+.2f}{spread}"
