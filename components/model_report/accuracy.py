"""Accuracy a class and a superclass."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class GroupAccuracy:
    """How well networks do on the images of a class or superclass.

    Attributes:
      name: of the class or superclass.
      images: how many there are.
      top1: share of them whose label is the first, by network.
    """

    name: str
    images: int
    top1: dict[str, float]


def by_group(
    groups: np.ndarray,
    names: list[str],
    labels: np.ndarray,
    predictions: Mapping[str, np.ndarray],
) -> list[GroupAccuracy]:
    """Measures each group that occurs; what the student loses most to the teacher comes first.

    Args:
      groups: `(n,)`, the number of each image's class or superclass.
      names: by that number.
      labels: `(n,)`, class numbers.
      predictions: `(n,)` class numbers, of `teacher`, `student` and others.
    """
    found = []
    for group in np.unique(groups):
        members = groups == group
        top1 = {
            network: float((predicted[members] == labels[members]).mean())
            for network, predicted in predictions.items()
        }
        found.append(GroupAccuracy(names[group], int(members.sum()), top1))
    return sorted(
        found, key=lambda group: (group.top1["student"] - group.top1["teacher"], group.name)
    )
