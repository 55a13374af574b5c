"""Measures of a network's predictions on labelled images, in NumPy.

`probabilities` are float `(n, classes)`, a row an image; `labels` int `(n,)`.
"""

import numpy as np

# As Keras's KLDivergence clips: quantised networks give probabilities of 0.
_EPSILON = 1e-7


def top_k_accuracy(scores: np.ndarray, labels: np.ndarray, k: int = 1) -> float:
    """Returns the share of images whose label is among the k first scores.

    Args:
      scores: logits or probabilities, float `(n, classes)`.
      labels: class numbers, int `(n,)`.
      k: how many of the highest scores count; of equal ones the lower class number comes first.
    """
    first = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return float((first == labels[:, None]).any(axis=1).mean())


def expected_calibration_error(
    probabilities: np.ndarray, labels: np.ndarray, bins: int = 15
) -> float:
    """Returns how far confidence is from accuracy.

    `sum_b |B_b| / n * |accuracy(B_b) - confidence(B_b)|`, where `B_b` holds the images whose top
    probability is in `((b - 1) / bins, b / bins]` (Guo et al., "On Calibration of Modern Neural
    Networks", 2017, equation 3).

    Args:
      probabilities: float `(n, classes)`.
      labels: class numbers, int `(n,)`.
      bins: number of bins of equal width.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = probabilities.argmax(axis=1) == labels
    edges = np.arange(1, bins) / bins
    bin_of = np.searchsorted(edges, confidence, side="left")
    gaps = np.bincount(bin_of, weights=correct - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def agreement(one: np.ndarray, other: np.ndarray) -> float:
    """Returns the share of images to which two networks give the same class.

    Args:
      one: scores, float `(n, classes)`.
      other: scores, float `(n, classes)`.
    """
    return float((one.argmax(axis=1) == other.argmax(axis=1)).mean())


def divergence(teacher: np.ndarray, student: np.ndarray) -> float:
    """Returns the mean of `KL(teacher || student)` over the images, in nats.

    Args:
      teacher: probabilities, float `(n, classes)`.
      student: probabilities, float `(n, classes)`.
    """
    p, q = (np.clip(np.asarray(x, np.float64), _EPSILON, 1) for x in (teacher, student))
    return float((p * np.log(p / q)).sum(axis=1).mean())
