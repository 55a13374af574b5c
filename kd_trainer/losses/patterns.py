"""Losses that compare normalised features: their pattern, whatever their size."""

from typing import Any

from keras import ops

from kd_trainer.losses.numerics import flatten, l2_normalize, of_student, of_teacher, safe_sqrt
from kd_trainer.losses.pooling import average_pool_to_smaller
from kd_trainer.losses.shapes import require_equal, require_equal_batch, require_maps

Tensor = Any


def attention_transfer(student_feature: Tensor, teacher_feature: Tensor) -> Tensor:
    """Mean squared difference of the normalised maps of where the features are large.

    Zagoruyko and Komodakis, "Paying More Attention to Attention", 2017, section 3.1: the
    attention map is the mean over channels of the squared feature, L2-normalised for each
    sample. The paper's equation 2 has the L2 norm of the difference; this is the mean square of
    the authors' code and of all later ones, for which β = 1000 is meant.

    Args:
      student_feature: `(batch, height, width, channels)`.
      teacher_feature: the same batch; the larger map is average-pooled to the smaller's size,
        and channels may differ. No gradient flows into it.

    Returns:
      A float32 scalar.
    """
    student, teacher = _maps_of_one_size("attention_transfer", student_feature, teacher_feature)
    return ops.mean(ops.square(_attention(student) - _attention(teacher)))


def attention_distance(student_feature: Tensor, teacher_feature: Tensor) -> Tensor:
    """L2 distance of the normalised attention maps, over the number of their elements.

    Zagoruyko and Komodakis, 2017, equation 2 as it is printed: the norm where `attention_transfer`
    has the square. The paper's β is 1000 over the elements of the map and over the batch; both
    are divided by here.

    Args:
      student_feature: `(batch, height, width, channels)`.
      teacher_feature: as in `attention_transfer`.

    Returns:
      A float32 scalar, averaged over the batch.
    """
    student, teacher = _maps_of_one_size("attention_distance", student_feature, teacher_feature)
    difference = _attention(student) - _attention(teacher)
    distance = safe_sqrt(ops.sum(ops.square(difference), axis=-1))
    return ops.mean(distance) / difference.shape[-1]


def _attention(feature: Tensor) -> Tensor:
    return l2_normalize(flatten(ops.mean(ops.square(feature), axis=-1)), axis=-1)


def factor_transfer(student_factor: Tensor, teacher_factor: Tensor) -> Tensor:
    """Mean absolute difference of the normalised factors.

    Kim et al., "Paraphrasing Complex Network: Network Compression via Factor Transfer", 2018,
    equation 3 with p = 1. Each sample's factor is flattened and L2-normalised, as in the
    authors' code, for which β = 500 is meant; others normalise along the channels or reduce the
    factor to an attention map.

    Args:
      student_factor: the translator's output, `(batch, ...)`.
      teacher_factor: the paraphraser's, of the same shape; no gradient flows into it.

    Returns:
      A float32 scalar.
    """
    student, teacher = of_student(student_factor), of_teacher(teacher_factor)
    require_equal("factor_transfer", student, teacher)
    student, teacher = (l2_normalize(flatten(factor), axis=-1) for factor in (student, teacher))
    return ops.mean(ops.abs(student - teacher))


def jacobian_matching(student_jacobian: Tensor, teacher_jacobian: Tensor) -> Tensor:
    """L2 distance of the normalised gradients of the two networks by their input.

    Srinivas and Fleuret, "Knowledge Transfer with Jacobian Matching", 2018, section 4.2,
    equation 10: ‖ĵ_t - ĵ_s‖₂ where ĵ is a sample's gradient, flattened and L2-normalised. From 0
    for gradients of one direction to 2 for opposite ones; a gradient that is zero (a dead
    network) stays zero and takes no gradient.

    Args:
      student_jacobian: gradient of a scalar of the student by the input, `(batch, ...)`.
      teacher_jacobian: the teacher's, of the same shape; no gradient flows into it.

    Returns:
      A float32 scalar: the distance, averaged over the batch.
    """
    student, teacher = of_student(student_jacobian), of_teacher(teacher_jacobian)
    require_equal("jacobian_matching", student, teacher)
    student, teacher = (l2_normalize(flatten(one), axis=-1) for one in (student, teacher))
    return ops.mean(safe_sqrt(ops.sum(ops.square(student - teacher), axis=-1)))


def neuron_selectivity_transfer(student_feature: Tensor, teacher_feature: Tensor) -> Tensor:
    """Squared maximum mean discrepancy of the two sets of normalised channel maps.

    Huang and Wang, "Like What You Like: Knowledge Distill via Neuron Selectivity Transfer",
    2017, equation 7, with the polynomial kernel ⟨u, v⟩² (d = 2, c = 0): the mean over pairs of
    channels, for each sample.

    Args:
      student_feature: `(batch, height, width, channels)`.
      teacher_feature: the same batch; the larger map is average-pooled to the smaller's size,
        and channels may differ. No gradient flows into it.

    Returns:
      A float32 scalar.
    """
    maps = _maps_of_one_size("neuron_selectivity_transfer", student_feature, teacher_feature)
    student, teacher = (_channel_maps(one) for one in maps)
    return _kernel(student, student) + _kernel(teacher, teacher) - 2 * _kernel(student, teacher)


def _channel_maps(feature: Tensor) -> Tensor:
    _, height, width, channels = feature.shape
    return l2_normalize(ops.reshape(feature, (-1, height * width, channels)), axis=1)


def _kernel(first: Tensor, second: Tensor) -> Tensor:
    # A matmul has (batch, channels, channels) elements; broadcasting would have HW times that.
    return ops.mean(ops.square(ops.matmul(ops.transpose(first, (0, 2, 1)), second)))


def _maps_of_one_size(loss: str, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    student, teacher = of_student(student), of_teacher(teacher)
    require_maps(loss, student, teacher)
    require_equal_batch(loss, student, teacher)
    return average_pool_to_smaller(student, teacher)
