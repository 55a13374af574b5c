"""The geometry of line charts: from numbers to places on the page.

Drawn as SVG by the templates rather than by a plotting library, so that colours follow the
reader's light or dark scheme and text stays text.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 280, 180
"""One size for every chart: cards of a grid that are about as wide on a phone as on a desk."""

LEFT, RIGHT, TOP, BOTTOM = 44, 262, 16, 148
"""The plot's edges within it."""


@dataclass(frozen=True)
class Axis:
    """A linear scale.

    Attributes:
      low: the value at `start`.
      high: the value at `end`.
      start: a place on the page.
      end: another one.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Returns a value's place."""
        along = (value - self.low) / (self.high - self.low)
        return round(self.start + along * (self.end - self.start), 1)


@dataclass(frozen=True)
class Line:
    """A line to be drawn.

    Attributes:
      label: what it shows.
      style: its CSS classes.
      points: x and y; where y is None the line is broken.
    """

    label: str
    style: str
    points: Sequence[tuple[float, float | None]]

    @property
    def known(self) -> list[tuple[float, float]]:
        """The points that have a value."""
        return [(x, y) for x, y in self.points if y is not None]


@dataclass(frozen=True)
class LineChart:
    """A chart of one quantity over epochs.

    Attributes:
      title: what is drawn.
      lines: the lines, at least one with a point.
      stages: where each stage begins, in epochs done before it, with its name.
      write: how a value of the quantity is written.
    """

    title: str
    lines: Sequence[Line]
    stages: Sequence[tuple[int, str]]
    write: Callable[[float], str]

    @property
    def x_ticks(self) -> list[float]:
        """Epochs that are named."""
        return [tick for tick in ticks(1, self._epochs, 1) if 1 <= tick <= self._epochs]

    @property
    def y_ticks(self) -> list[float]:
        """Values that are named: they span the axis."""
        values = [y for line in self.lines for _, y in line.known]
        return ticks(min(values), max(values))

    @property
    def x(self) -> Axis:
        """The scale of epochs; half an epoch is left free at both ends."""
        return Axis(0.5, self._epochs + 0.5, LEFT, RIGHT)

    @property
    def y(self) -> Axis:
        """The scale of the quantity."""
        return Axis(self.y_ticks[0], self.y_ticks[-1], BOTTOM, TOP)

    def path(self, line: Line) -> str:
        """Returns a line's SVG path, broken where values are missing."""
        x, y = self.x, self.y
        steps, pen = [], "M"
        for epoch, value in line.points:
            if value is not None:
                steps.append(f"{pen}{x(epoch)} {y(value)}")
            pen = "M" if value is None else "L"
        return "".join(steps)

    @property
    def description(self) -> str:
        """The chart in a sentence, for those who do not see it."""
        courses = [
            f"{line.label} from {self.write(line.known[0][1])} to {self.write(line.known[-1][1])}"
            for line in self.lines
        ]
        return f"{self.title} over {self._epochs:g} epochs: {'; '.join(courses)}"

    @property
    def _epochs(self) -> float:
        return max(x for line in self.lines for x, _ in line.points)


def ticks(low: float, high: float, least_step: float = 0.0) -> list[float]:
    """Returns round numbers at even steps, about five, that reach from `low` to `high`.

    Args:
      low: the least value.
      high: the greatest; where it is no greater, there is room for one step.
      least_step: no step is smaller.
    """
    span = high - low or abs(low) or 1.0
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= span / 4)
    step = max(step, least_step)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(index * step, 10) for index in range(first, max(last, first + 1) + 1)]
