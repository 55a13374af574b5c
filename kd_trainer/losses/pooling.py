"""Bringing the larger of two feature maps to the size of the smaller."""

from typing import Any

import numpy as np
from keras import ops

from kd_trainer.errors import ConfigError

Tensor = Any


def _averaging(size: int, smaller: int) -> np.ndarray:
    """Returns the matrix `(smaller, size)` of adaptive average-pooling's bins."""
    matrix = np.zeros((smaller, size), "float32")
    for row in range(smaller):
        # PyTorch's bins, which overlap where the sizes do not divide.
        start, end = row * size // smaller, -(-(row + 1) * size // smaller)
        matrix[row, start:end] = 1 / (end - start)
    return matrix


def average_pool_to(feature: Tensor, height: int, width: int) -> Tensor:
    """Returns the map `(batch, height, width, channels)` by adaptive average-pooling."""
    rows, columns = feature.shape[1:3]
    if height < rows:
        feature = ops.einsum("ph,bhwc->bpwc", _averaging(rows, height), feature)
    if width < columns:
        feature = ops.einsum("qw,bhwc->bhqc", _averaging(columns, width), feature)
    return feature


def average_pool_to_smaller(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Returns both maps at the smaller height and the smaller width of the two."""
    height, width = (min(first.shape[axis], second.shape[axis]) for axis in (1, 2))
    return average_pool_to(first, height, width), average_pool_to(second, height, width)


def max_pool_to_smaller(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Returns both maps at the smaller height and the smaller width of the two.

    Raises:
      ConfigError: a size is no multiple of the other's.
    """
    smaller = tuple(min(first.shape[axis], second.shape[axis]) for axis in (1, 2))

    def pool(feature: Tensor) -> Tensor:
        size = tuple(feature.shape[1:3])
        if size == smaller:
            return feature
        if size[0] % smaller[0] or size[1] % smaller[1]:
            raise ConfigError(
                f"Maps of the shapes {tuple(first.shape)} and {tuple(second.shape)} cannot be "
                "max-pooled to one size; expected heights and widths that are multiples of one "
                "another. Choose other taps."
            )
        window = (size[0] // smaller[0], size[1] // smaller[1])
        return ops.max_pool(feature, window, window, "valid", "channels_last")

    return pool(first), pool(second)
