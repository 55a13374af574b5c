"""Losses that compare how the samples of a batch resemble each other."""

from typing import Any

from keras import ops

from kd_trainer.losses.numerics import flatten, l2_normalize, of_student, of_teacher
from kd_trainer.losses.shapes import require_equal, require_equal_batch

Tensor = Any


def similarity_preserving(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean squared difference of the samples' normalised similarities.

    Tung and Mori, "Similarity-Preserving Knowledge Distillation", 2019, equations 2 to 4: the
    products of all pairs of samples, each row L2-normalised; ‖G_t - G_s‖² / batch².

    Args:
      student: `(batch, ...)`, flattened.
      teacher: the same batch, of any shape; no gradient flows into it.

    Returns:
      A float32 scalar.
    """
    student, teacher = of_student(student), of_teacher(teacher)
    require_equal_batch("similarity_preserving", student, teacher)
    return ops.mean(ops.square(_similarities(student) - _similarities(teacher)))


def _similarities(feature: Tensor) -> Tensor:
    # One scale for all rows changes nothing, but keeps the products from overflowing.
    feature = flatten(feature)
    feature = l2_normalize(feature, axis=(0, 1))
    return l2_normalize(ops.matmul(feature, ops.transpose(feature)), axis=-1)


def correlation_congruence(student: Tensor, teacher: Tensor) -> Tensor:
    """Product of the errors of neighbouring samples.

    After Peng et al., "Correlation Congruence for Knowledge Distillation", 2019. This is the
    form of RepDistiller, mean_i Σ_d |δ_i|·|δ_i+1| with δ = student - teacher, and not the
    paper's difference of kernel matrices (equation 8). It depends on the order of the batch.

    Args:
      student: an embedding, `(batch, ...)`, flattened.
      teacher: the same shape; no gradient flows into it.

    Returns:
      A float32 scalar: the mean over the neighbours; 0 for a batch of one.
    """
    student, teacher = of_student(student), of_teacher(teacher)
    require_equal("correlation_congruence", student, teacher)
    error = ops.abs(flatten(student - teacher))
    products = ops.sum(error[:-1] * error[1:], axis=-1)
    neighbours = ops.cast(ops.maximum(ops.shape(products)[0], 1), "float32")
    return ops.sum(products) / neighbours


def probabilistic_knowledge_transfer(student: Tensor, teacher: Tensor) -> Tensor:
    """Divergence of the probabilities with which samples are each other's neighbours.

    Passalis and Tefas, "Learning Deep Representations with Probabilistic Knowledge Transfer",
    2018, equations 5 to 8, with the cosine kernel: (cos + 1) / 2 of all pairs, each row over its
    sum, and the mean over all pairs of p_t·log(p_t / p_s), as in the authors' code.

    Args:
      student: an embedding, `(batch, ...)`, flattened.
      teacher: the same batch, of any width; no gradient flows into it.

    Returns:
      A float32 scalar.
    """
    student, teacher = of_student(student), of_teacher(teacher)
    require_equal_batch("probabilistic_knowledge_transfer", student, teacher)
    student, teacher = _neighbour_probabilities(student), _neighbour_probabilities(teacher)
    # The authors' constant; opposite samples have the probability 0.
    return ops.mean(teacher * ops.log((teacher + 1e-7) / (student + 1e-7)))


def _neighbour_probabilities(embedding: Tensor) -> Tensor:
    embedding = l2_normalize(flatten(embedding), axis=-1)
    kernel = (ops.matmul(embedding, ops.transpose(embedding)) + 1) / 2
    return kernel / ops.sum(kernel, axis=-1, keepdims=True)
