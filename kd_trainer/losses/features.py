"""Losses on feature maps."""

from typing import Any

from keras import ops

Tensor = Any


def hint(student_feature: Tensor, teacher_feature: Tensor) -> Tensor:
    """Mean squared difference of two features of one shape.

    Romero et al., "FitNets: Hints for Thin Deep Nets", 2015, equation 3, as a mean over all
    elements instead of half the sum.

    Args:
      student_feature: `(batch, ...)`, already through its connector.
      teacher_feature: the same shape; no gradient flows into it.

    Returns:
      A float32 scalar.
    """
    student = ops.cast(student_feature, "float32")
    teacher = ops.cast(ops.stop_gradient(teacher_feature), "float32")
    return ops.mean(ops.square(student - teacher))
