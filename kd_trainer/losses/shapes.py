"""Refusals of shapes that a loss cannot compare.

Broadcasting would turn most of these mistakes into a number.
"""

from collections.abc import Sequence
from typing import Any

from kd_trainer.errors import ConfigError

Tensor = Any
Sizes = Sequence[int | None]


def _fit(found: Sizes, expected: Sizes) -> bool:
    # A size that is not known before the graph runs fits any.
    return len(found) == len(expected) and all(
        a is None or b is None or a == b for a, b in zip(found, expected, strict=True)
    )


def _refuse(loss: str, student: Tensor, teacher: Tensor, expected: str) -> None:
    raise ConfigError(
        f"{loss}: the student has the shape {tuple(student.shape)}, the teacher "
        f"{tuple(teacher.shape)}; expected {expected}. Choose other taps or put an adapter on them."
    )


def require_equal(loss: str, student: Tensor, teacher: Tensor) -> None:
    """Raises a ConfigError unless both have one shape."""
    if not _fit(student.shape, teacher.shape):
        _refuse(loss, student, teacher, "equal shapes")


def require_equal_channels(loss: str, student: Tensor, teacher: Tensor) -> None:
    """Raises a ConfigError unless both have one batch size and one number of channels."""
    if not _fit((student.shape[0], student.shape[-1]), (teacher.shape[0], teacher.shape[-1])):
        _refuse(loss, student, teacher, "equal batches and channels")


def require_equal_batch(loss: str, student: Tensor, teacher: Tensor) -> None:
    """Raises a ConfigError unless both have one batch size."""
    if not _fit(student.shape[:1], teacher.shape[:1]):
        _refuse(loss, student, teacher, "equal batches")


def require_maps(loss: str, *tensors: Tensor) -> None:
    """Raises a ConfigError unless every tensor is a feature map."""
    for tensor in tensors:
        if len(tensor.shape) != 4:
            raise ConfigError(
                f"{loss}: found a tensor of the shape {tuple(tensor.shape)}; expected feature "
                "maps, (batch, height, width, channels). Choose other taps."
            )


def require_logits(loss: str, student: Tensor, teacher: Tensor) -> None:
    """Raises a ConfigError unless both are logits of one shape."""
    if len(student.shape) != 2 or not _fit(student.shape, teacher.shape):
        _refuse(loss, student, teacher, "equal shapes, (batch, classes)")
