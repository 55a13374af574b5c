"""What of a difference is chance: a paired test over seeds."""

import math
import statistics
from dataclasses import dataclass

from scipy import stats

from components.leaderboard.trials import Row

LEVEL = 0.05


@dataclass(frozen=True)
class Difference:
    """How much more accurate one row is than another, seed by seed.

    Attributes:
      mean: of the differences.
      deviation: of the differences; None of one seed.
      p: of Student's paired t-test, two-sided: how often chance alone makes a difference as large
        if there is none; None of one seed.
    """

    mean: float
    deviation: float | None
    p: float | None

    @property
    def is_noise(self) -> bool:
        """Whether it cannot be told from chance; nothing can be told of one seed."""
        return self.p is None or self.p >= LEVEL


def difference(row: Row, other: Row) -> Difference:
    """Compares two rows on the seeds that both have.

    Raises:
      ValueError: there is no such seed.
    """
    seeds = sorted(row.accuracy.keys() & other.accuracy.keys())
    if not seeds:
        raise ValueError(f"{row.name} and {other.name} have no seed in common.")
    ours, theirs = ([each.accuracy[seed] for seed in seeds] for each in (row, other))
    differences = [one - another for one, another in zip(ours, theirs, strict=True)]
    mean = statistics.mean(differences)
    if len(seeds) == 1:
        return Difference(mean, None, None)
    deviation = statistics.stdev(differences)
    # All alike, the test divides by zero: then chance has no part in it, or there is nothing.
    p = float(stats.ttest_rel(ours, theirs).pvalue) if deviation > 1e-12 else math.nan
    if math.isnan(p):
        p = 1.0 if abs(mean) < 1e-12 else 0.0
    return Difference(mean, deviation, p)
