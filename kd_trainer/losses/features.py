"""Losses that compare features element by element."""

from typing import Any

from keras import ops

from kd_trainer.losses.numerics import of_student, of_teacher
from kd_trainer.losses.pooling import average_pool_to
from kd_trainer.losses.shapes import require_equal, require_maps

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
    student, teacher = of_student(student_feature), of_teacher(teacher_feature)
    require_equal("hint", student, teacher)
    return ops.mean(ops.square(student - teacher))


def activation_boundary(
    student_preact: Tensor, teacher_preact: Tensor, margin: float = 1.0
) -> Tensor:
    """Squared distance of the student from the teacher's side of the activation boundary.

    Heo et al., "Knowledge Transfer via Distillation of Activation Boundaries Formed by Hidden
    Neurons", 2019, equation 5. Only the teacher's sign counts: (s + m)² where s > -m and t ≤ 0,
    (s - m)² where s ≤ m and t > 0, otherwise nothing. A student like its teacher still has a
    loss wherever it is within the margin.

    Args:
      student_preact: `(batch, ...)` before the activation, through its connector.
      teacher_preact: the same shape; no gradient flows into it.
      margin: how far beyond the boundary the student's activation shall be.

    Returns:
      A float32 scalar: summed over a sample's elements, averaged over the batch.
    """
    student, teacher = of_student(student_preact), of_teacher(teacher_preact)
    require_equal("activation_boundary", student, teacher)
    active = teacher > 0
    right = ops.where(active, student > margin, student <= -margin)
    target = ops.where(active, margin, -margin)
    apart = ops.where(right, 0.0, ops.square(student - target))
    return ops.mean(ops.sum(apart, axis=tuple(range(1, len(apart.shape)))))


def partial_distance(student_preact: Tensor, teacher_target: Tensor) -> Tensor:
    """Squared distance that lets the student be wherever the teacher is not active either.

    Heo et al., "A Comprehensive Overhaul of Feature Distillation", 2019, the partial L2
    distance: nothing where s ≤ t ≤ 0, (s - t)² everywhere else.

    Args:
      student_preact: `(batch, ...)` before the activation, through its connector.
      teacher_target: the same shape, the teacher's feature before the activation, after the
        margin ReLU; no gradient flows into it.

    Returns:
      A float32 scalar: summed over a sample's elements, averaged over the batch.
    """
    student, teacher = of_student(student_preact), of_teacher(teacher_target)
    require_equal("partial_distance", student, teacher)
    # Not the other way round, so that what is not a number stays so.
    idle = ops.logical_and(student <= teacher, teacher <= 0)
    apart = ops.where(idle, 0.0, ops.square(student - teacher))
    return ops.mean(ops.sum(apart, axis=tuple(range(1, len(apart.shape)))))


def variational_information(mean: Tensor, variance: Tensor, target: Tensor) -> Tensor:
    """Negative log-likelihood of the teacher's feature under a Gaussian from the student's.

    Ahn et al., "Variational Information Distillation for Knowledge Transfer", 2019, equation 5,
    without the constant and, as in the reference code, as a mean over all elements instead of a
    sum: ½·mean(log var + (target - mean)² / var). Negative where the variance is small.

    Args:
      mean: the regressor's output for the student's feature, `(batch, ..., channels)`.
      variance: positive; of any shape that broadcasts to the mean's, usually `(channels,)`.
      target: the teacher's feature, of the mean's shape; no gradient flows into it.

    Returns:
      A float32 scalar.
    """
    mean, variance, target = of_student(mean), of_student(variance), of_teacher(target)
    require_equal("variational_information", mean, target)
    surprise = ops.log(variance) + ops.square(target - mean) / variance
    return 0.5 * ops.mean(surprise)


def hierarchical_context(student_feature: Tensor, teacher_feature: Tensor) -> Tensor:
    """Mean squared difference at full size and average-pooled to 4x4, 2x2 and 1x1.

    Chen et al., "Distilling Knowledge via Knowledge Review", 2021, section 3.3 (HCL), with the
    weights of the reference code: 1 at full size, ½, ¼ and ⅛ at the levels smaller than the map
    (the next weight in turn, where a level is skipped), over their sum.

    Args:
      student_feature: `(batch, height, width, channels)`.
      teacher_feature: the same shape; no gradient flows into it.

    Returns:
      A float32 scalar.
    """
    student, teacher = of_student(student_feature), of_teacher(teacher_feature)
    require_maps("hierarchical_context", student, teacher)
    require_equal("hierarchical_context", student, teacher)
    # Pooling is linear: the difference is pooled once instead of both maps.
    difference = student - teacher
    height, width = difference.shape[1:3]
    loss, weight, total = ops.mean(ops.square(difference)), 1.0, 1.0
    for level in (4, 2, 1):
        if level < min(height, width):
            weight /= 2
            total += weight
            pooled = average_pool_to(difference, level, level)
            loss = loss + weight * ops.mean(ops.square(pooled))
    return loss / total
