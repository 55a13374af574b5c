"""Losses on logits."""

from typing import Any

from keras import ops

Tensor = Any


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy of integer labels, the task loss.

    Args:
      logits: unnormalised log-probabilities, `(batch, classes)`.
      labels: class numbers, `(batch,)`, integer.

    Returns:
      A float32 scalar.
    """
    log_probabilities = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
    one_hot = ops.one_hot(labels, ops.shape(logits)[-1], dtype="float32")
    return -ops.mean(ops.sum(one_hot * log_probabilities, axis=-1))


def kl_divergence(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float = 1.0
) -> Tensor:
    """Kullback-Leibler divergence KL(teacher ‖ student) of the softened predictions.

    Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, section 2; without the
    factor `temperature ** 2`, which belongs to the weight.

    Args:
      student_logits: `(batch, classes)`.
      teacher_logits: `(batch, classes)`; no gradient flows into them.
      temperature: what both logits are divided by before the softmax.

    Returns:
      A float32 scalar: summed over classes, averaged over the batch.
    """
    student = ops.log_softmax(ops.cast(student_logits, "float32") / temperature, axis=-1)
    teacher = ops.cast(ops.stop_gradient(teacher_logits), "float32") / temperature
    teacher = ops.log_softmax(teacher, axis=-1)
    return ops.mean(ops.sum(ops.exp(teacher) * (teacher - student), axis=-1))
