"""The gate's bounds as people read them."""

from collections.abc import Callable, Sequence
from itertools import groupby

from rich import filesize

from components.decision import Bound

_TEXTS: dict[str, Callable[[float], str]] = {
    "share": "{:.2%}".format,
    "points": "{:.2%}".format,
    "count": "{:,.0f}".format,
    "bytes": lambda value: filesize.decimal(int(value)),
    "ratio": "{:.2f}x".format,
    "nats": "{:.3g} nats".format,
}


def quantity(value: float, bound: Bound) -> str:
    """Returns a value in a bound's unit, such as `83.63%`, `341.2 kB` or `0.45x`."""
    return _TEXTS[bound.unit](value) if value == value else "not a number"


def limit(bound: Bound) -> str:
    """Returns what passes, such as `at least 60.00%`."""
    return f"at {'least' if bound.is_minimum else 'most'} {quantity(bound.bound, bound)}"


def sentence(bound: Bound) -> str:
    """Returns what was found, and what had to be."""
    of = "" if bound.subject == "student" else f" of {bound.subject}"
    on = "" if bound.slice == "overall" else f" on {bound.slice}"
    return f"{bound.metric}{of}{on} is {quantity(bound.value, bound)}, must be {limit(bound)}"


def notable(bounds: Sequence[Bound]) -> list[Bound]:
    """Leaves out what tells nothing new.

    Of a bound on every superclass the worst and the refused are left, and of the checks that are
    always made the refused.
    """
    kept: list[Bound] = []
    for _, group in groupby(bounds, key=lambda bound: (bound.key, bound.subject)):
        worst_first = sorted(group, key=lambda b: b.value if b.is_minimum else -b.value)
        configured = worst_first[0].key.startswith("gate.")
        kept += [b for b in worst_first if not b.passed or (configured and b is worst_first[0])]
    return kept
