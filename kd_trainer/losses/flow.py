"""The flow of the solution procedure."""

from typing import Any, Literal

from keras import ops

from kd_trainer.losses.numerics import of_student, of_teacher
from kd_trainer.losses.pooling import average_pool_to_smaller, max_pool_to_smaller
from kd_trainer.losses.shapes import require_equal_channels, require_maps

Tensor = Any
Pair = tuple[Tensor, Tensor]
Pooling = Literal["max", "average"]

_POOLS = {"max": max_pool_to_smaller, "average": average_pool_to_smaller}


def flow_of_solution_procedure(
    student_pair: Pair, teacher_pair: Pair, pooling: Pooling = "max"
) -> Tensor:
    """Squared difference of the products of two stages' maps.

    Yim et al., "A Gift from Knowledge Distillation", 2017, equations 1 and 2:
    G_ij = Σ_hw F¹_hwi·F²_hwj / (H·W) for each sample, and ‖G_t - G_s‖² in the Frobenius norm. As
    in the paper it is the sum over the matrix (others take its mean).

    Args:
      student_pair: an earlier and a later map, `(batch, height, width, channels)`.
      teacher_pair: maps of the same channels; heights and widths may differ from the student's.
        No gradient flows into it.
      pooling: how the larger map of a pair is brought to the size of the smaller: `max`, as in
        the paper, or `average`, as in the code of Tian et al. (2020).

    Returns:
      A float32 scalar: summed over the matrix, averaged over the batch.
    """
    student = tuple(of_student(feature) for feature in student_pair)
    teacher = tuple(of_teacher(feature) for feature in teacher_pair)
    for ours, theirs in zip(student, teacher, strict=True):
        require_maps("flow_of_solution_procedure", ours, theirs)
        require_equal_channels("flow_of_solution_procedure", ours, theirs)
    difference = _flow(student, pooling) - _flow(teacher, pooling)
    return ops.mean(ops.sum(ops.square(difference), axis=(1, 2)))


def _flow(pair: tuple[Tensor, ...], pooling: Pooling) -> Tensor:
    """Returns the FSP matrix, `(batch, channels of the first, channels of the second)`."""
    first, second = _POOLS[pooling](*pair)
    pixels = first.shape[1] * first.shape[2]
    first, second = (ops.reshape(map_, (-1, pixels, map_.shape[3])) for map_ in (first, second))
    return ops.matmul(ops.transpose(first, (0, 2, 1)), second) / pixels
