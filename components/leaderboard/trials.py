"""What a comparison has found, network by network."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

TEACHER, BASELINE = "teacher", "baseline"


@dataclass(frozen=True)
class Trial:
    """A trained network.

    Attributes:
      row: `teacher`, `baseline`, or a name of the method that trained it.
      label: the method with its preset, or the network.
      seed: of the training.
      accuracy: top-1 on `test`, as the Evaluator found it.
      last: accuracy of the last epoch on `eval`; None where there is no such split.
      best: the largest one of an epoch.
      curve: accuracy of each epoch, on `eval` where there is one; None where a stage has none.
      seconds: of training.
      published: mean accuracy in the literature, where the setting is a published one.
    """

    row: str
    label: str
    seed: int
    accuracy: float
    last: float | None
    best: float | None
    curve: tuple[float | None, ...]
    seconds: float
    published: float | None = None


@dataclass(frozen=True)
class Row:
    """The trials of a method, one a seed, in the order of the seeds."""

    trials: tuple[Trial, ...]

    @property
    def name(self) -> str:
        """What the comparison calls it."""
        return self.trials[0].row

    @property
    def label(self) -> str:
        """The method with its preset, or the network."""
        return self.trials[0].label

    @property
    def published(self) -> float | None:
        """The literature's accuracy."""
        return self.trials[0].published

    @cached_property
    def accuracy(self) -> dict[int, float]:
        """Top-1 on `test` by seed."""
        return {trial.seed: trial.accuracy for trial in self.trials}

    @property
    def mean(self) -> float:
        """Mean accuracy."""
        return statistics.mean(self.accuracy.values())

    @property
    def deviation(self) -> float | None:
        """Standard deviation of the accuracy; None of one trial."""
        values = self.accuracy.values()
        return statistics.stdev(values) if len(values) > 1 else None

    @property
    def last(self) -> float | None:
        """Mean of the last epochs' accuracy on `eval`."""
        return _mean([trial.last for trial in self.trials])

    @property
    def best(self) -> float | None:
        """Mean of the best epochs' accuracy on `eval`."""
        return _mean([trial.best for trial in self.trials])

    @property
    def seconds(self) -> float:
        """Mean time of a training."""
        return statistics.mean(trial.seconds for trial in self.trials)

    @property
    def curve(self) -> list[float | None]:
        """Mean accuracy of each epoch over the trials; None where one has none."""
        return [_mean(epoch) for epoch in zip(*(t.curve for t in self.trials), strict=True)]


def rows(trials: Sequence[Trial]) -> list[Row]:
    """Returns a row of each method: the teacher, the baseline, then the best mean first."""
    by_name: dict[str, list[Trial]] = {}
    for trial in sorted(trials, key=lambda trial: trial.seed):
        by_name.setdefault(trial.row, []).append(trial)
    found = [Row(tuple(listed)) for listed in by_name.values()]
    first = {TEACHER: 0, BASELINE: 1}
    return sorted(found, key=lambda row: (first.get(row.name, 2), -row.mean, row.name))


def _mean(values: Sequence[float | None]) -> float | None:
    found = [value for value in values if value is not None]
    return statistics.mean(found) if len(found) == len(values) else None
