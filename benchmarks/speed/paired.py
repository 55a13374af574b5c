"""Paired measurement: rounds in which every subject runs once, so that noise falls on all alike."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

# Runs what is measured once, and returns its seconds.
Subject = Callable[[], float]


class Ratio(NamedTuple):
    """A ratio of times, over the rounds."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} [{self.low:.2f}-{self.high:.2f}]"


class Rounds:
    """The seconds of each subject in each round.

    Args:
      subjects: what is measured, by name.
      rounds: how many; every other one goes through the subjects backwards.
      warm_ups: rounds before them that are not kept.
    """

    def __init__(self, subjects: Mapping[str, Subject], rounds: int, warm_ups: int = 2):
        self.seconds: dict[str, list[float]] = {name: [] for name in subjects}
        for number in range(-warm_ups, rounds):
            order = list(subjects)[:: -1 if number % 2 else 1]
            for name in order:
                taken = subjects[name]()
                if number >= 0:
                    self.seconds[name].append(taken)

    def median(self, name: str) -> float:
        """Returns a subject's median, in seconds."""
        return statistics.median(self.seconds[name])

    def fastest(self, name: str) -> float:
        """Returns a subject's least seconds: what it takes when nothing else runs."""
        return min(self.seconds[name])

    def ratio(self, of: str, over: str | Sequence[str]) -> Ratio:
        """Returns how long one subject takes over another, or over the sum of several."""
        overs = [over] if isinstance(over, str) else list(over)
        ratios = [
            seconds / sum(self.seconds[name][number] for name in overs)
            for number, seconds in enumerate(self.seconds[of])
        ]
        return Ratio(statistics.median(ratios), min(ratios), max(ratios))
