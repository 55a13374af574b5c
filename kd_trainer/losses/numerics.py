"""What the losses share: float32, the teacher's stop-gradient and norms that are safe at zero.

Conditions are such that what is not a number stays so: a network that diverged must show.
"""

import math
from collections.abc import Sequence
from typing import Any

from keras import ops

Tensor = Any

# A vector whose largest element is below this is zero: the square of its inverse still is finite.
TINY = 1e-18


def of_student(tensor: Tensor) -> Tensor:
    """Returns the tensor as float32."""
    return ops.cast(tensor, "float32")


def of_teacher(tensor: Tensor) -> Tensor:
    """Returns the tensor as float32, with no gradient."""
    return ops.cast(ops.stop_gradient(ops.convert_to_tensor(tensor)), "float32")


def flatten(tensor: Tensor) -> Tensor:
    """Returns `(batch, everything else)`."""
    return ops.reshape(tensor, (-1, math.prod(tensor.shape[1:])))


def l2_normalize(tensor: Tensor, axis: int | Sequence[int]) -> Tensor:
    """Returns the tensor over its L2 norm along `axis`; zero, with zero gradient, for zero.

    The largest element is divided out first, so that the squares of small or large features
    neither vanish nor overflow and the result does not depend on the scale.
    """
    size = ops.max(ops.abs(ops.stop_gradient(tensor)), axis=axis, keepdims=True)
    zero = size < TINY
    scaled = ops.where(zero, 0.0, tensor / ops.where(zero, 1.0, size))
    squares = ops.sum(ops.square(scaled), axis=axis, keepdims=True)
    return scaled * ops.rsqrt(ops.where(zero, 1.0, squares))


def safe_sqrt(tensor: Tensor) -> Tensor:
    """Returns the square root; where the tensor is zero the gradient is zero, not infinite."""
    zero = tensor <= 0
    return ops.where(zero, 0.0, ops.sqrt(ops.where(zero, 1.0, tensor)))


def huber(difference: Tensor) -> Tensor:
    """Returns half the square up to 1 and the absolute value less a half beyond."""
    size = ops.abs(difference)
    return ops.where(size < 1, 0.5 * ops.square(difference), size - 0.5)
