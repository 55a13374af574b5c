"""Whether a network is right as often as it says: the reliability diagram."""

from dataclasses import dataclass

import numpy as np

BINS = 15
"""Of equal width, as in the calibration error of `components.profile` (Guo et al., 2017)."""


@dataclass(frozen=True)
class Bin:
    """The images whose top probability lies in `(low, high]`.

    Attributes:
      low: the bin's lower edge.
      high: the bin's upper edge.
      images: how many there are.
      accuracy: share of them that the network gets right; 0 where there are none.
      confidence: their mean top probability; 0 where there are none.
    """

    low: float
    high: float
    images: int
    accuracy: float
    confidence: float


def reliability(labels: np.ndarray, probabilities: np.ndarray, bins: int = BINS) -> list[Bin]:
    """Sorts images by their top probability.

    Args:
      labels: `(n,)`, class numbers.
      probabilities: `(n, classes)`.
      bins: how many of equal width.
    """
    confidence = probabilities.max(1)
    right = probabilities.argmax(1) == labels
    edges = np.linspace(0, 1, bins + 1)
    # A rounding error above 1 belongs to the last bin.
    number = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    found = []
    for index in range(bins):
        members = number == index
        images = int(members.sum())
        found.append(
            Bin(
                float(edges[index]),
                float(edges[index + 1]),
                images,
                float(right[members].mean()) if images else 0.0,
                float(confidence[members].mean()) if images else 0.0,
            )
        )
    return found
