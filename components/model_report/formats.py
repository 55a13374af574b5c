"""How the page writes numbers: one way for each unit."""

from collections.abc import Callable

from markupsafe import Markup
from rich.filesize import decimal


def share(value: float) -> str:
    """Returns such as `83.63%`."""
    return f"{value:.2%}"


def percent(value: float) -> str:
    """Returns such as `84%`, where there is no room or reason for more digits."""
    return f"{value:.0%}"


def points(value: float) -> str:
    """Returns a difference of shares, such as `+2.00 points`."""
    return f"{_signed(100 * value, 2)} points"


def count(value: float) -> str:
    """Returns such as `278,324`."""
    return f"{value:,.0f}"


def size(value: float) -> str:
    """Returns bytes, such as `1.2 MB`."""
    return decimal(int(value))


def ratio(value: float) -> str:
    """Returns such as `0.420×`."""
    return f"{_three_digits(value)}×"


def clock(seconds: float) -> str:
    """Returns such as `1:05`, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes:,}:{rest:02}"


def breakable(name: str) -> Markup:
    """Returns a name that may be broken after each underscore."""
    return Markup("_<wbr>").join(name.split("_"))  # escapes the parts


def nats(value: float) -> str:
    """Returns such as `0.123 nats`."""
    return f"{_three_digits(value)} nats"


def milliseconds(value: float) -> str:
    """Returns such as `1.21 ms`."""
    return f"{_three_digits(value)} ms"


def _three_digits(value: float) -> str:
    return f"{value:#.3g}".rstrip(".")


def _signed(value: float, digits: int) -> str:
    # Adding 0 makes what rounds to -0 positive.
    return f"{round(value, digits) + 0:+.{digits}f}".replace("-", "−")


UNITS: dict[str, Callable[[float], str]] = {
    "share": share,
    "points": points,
    "count": count,
    "bytes": size,
    "ratio": ratio,
    "nats": nats,
}
"""By the unit of a bound, `components.decision.Bound.unit`."""


def in_unit(value: float, unit: str) -> str:
    """Returns a value in a bound's unit; what could not be measured is no number."""
    return UNITS[unit](value) if value == value else "not a number"


FILTERS: dict[str, Callable[..., str]] = {
    **UNITS,
    "breakable": breakable,
    "percent": percent,
    "clock": clock,
    "milliseconds": milliseconds,
    "signed": lambda value: _signed(100 * value, 0),
    "unit": in_unit,
}
"""The formats, as the templates call them."""
