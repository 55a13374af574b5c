"""The gate's bounds, as a person reads them."""

from collections.abc import Sequence
from dataclasses import dataclass

from components.decision import Bound

OVERALL = "overall"


@dataclass(frozen=True)
class Folded:
    """Bounds of which some need not be looked at.

    Attributes:
      shown: every bound on all images; of those a superclass, the refused ones and, of each key
        and subject, the one nearest to being refused.
      rest: the others.
    """

    shown: list[Bound]
    rest: list[Bound]


def fold(bounds: Sequence[Bound]) -> Folded:
    """Folds the bounds that are set for each superclass; refused ones come first."""
    worst: dict[tuple[str, str], Bound] = {}
    for bound in bounds:
        kind = (bound.key, bound.subject)
        if bound.slice != OVERALL and (kind not in worst or margin(bound) < margin(worst[kind])):
            worst[kind] = bound
    shown = [
        bound
        for bound in bounds
        if bound.slice == OVERALL or not bound.passed or bound in worst.values()
    ]
    shown.sort(key=lambda bound: bound.passed)
    rest = sorted((bound for bound in bounds if bound not in shown), key=margin)
    return Folded(shown, rest)


def margin(bound: Bound) -> float:
    """Returns how far the value is on the right side of the bound, in the bound's unit."""
    difference = bound.value - bound.bound
    return difference if bound.is_minimum else -difference
