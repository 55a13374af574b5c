"""Losses on logits."""

from typing import Any

from keras import ops

from kd_trainer.errors import ConfigError
from kd_trainer.losses.numerics import of_student, of_teacher, safe_sqrt
from kd_trainer.losses.shapes import require_logits

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
    logits = student_logits, teacher_logits
    return _divergence(*_log_probabilities("kl_divergence", *logits, temperature))


def symmetric_divergence(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float = 1.0
) -> Tensor:
    """Mean of the divergences KL(teacher ‖ student) and KL(student ‖ teacher).

    As the seed has Zhang et al., "Deep Mutual Learning", 2018, whose equation 5 has one of them.

    Args:
      student_logits: `(batch, classes)`.
      teacher_logits: `(batch, classes)`; no gradient flows into them.
      temperature: what both logits are divided by before the softmax.

    Returns:
      A float32 scalar: summed over classes, averaged over the batch.
    """
    logits = student_logits, teacher_logits
    student, teacher = _log_probabilities("symmetric_divergence", *logits, temperature)
    return (_divergence(student, teacher) + _divergence(teacher, student)) / 2


def _log_probabilities(
    loss: str, student_logits: Tensor, teacher_logits: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    student, teacher = of_student(student_logits), of_teacher(teacher_logits)
    require_logits(loss, student, teacher)
    return (
        ops.log_softmax(student / temperature, axis=-1),
        ops.log_softmax(teacher / temperature, axis=-1),
    )


def _divergence(student: Tensor, teacher: Tensor) -> Tensor:
    """Returns KL(teacher ‖ student) of log-probabilities, averaged over the batch."""
    return ops.mean(ops.sum(ops.exp(teacher) * (teacher - student), axis=-1))


def decoupled(
    student_logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    alpha: float,
    beta: float,
    temperature: float,
) -> Tensor:
    """Divergence on the true class and among the others, with a weight for each.

    Zhao et al., "Decoupled Knowledge Distillation", 2022, equation 7:
    T²·(α·TCKD + β·NCKD). TCKD is KL(teacher ‖ student) of the true class against all others
    together, NCKD that of the others among themselves; kl_divergence is
    TCKD + (1 - p_t(true class))·NCKD for each sample. The factor T² is inside, as in the
    authors' code.

    Args:
      student_logits: `(batch, classes)`, at least three classes.
      teacher_logits: `(batch, classes)`; no gradient flows into them.
      labels: class numbers, `(batch,)`, integer.
      alpha: weight of the true class's part.
      beta: weight of the other classes' part.
      temperature: what both logits are divided by before the softmax.

    Returns:
      A float32 scalar, averaged over the batch.

    Raises:
      ConfigError: with two classes there is but one other, and nothing among the others.
    """
    student, teacher = of_student(student_logits), of_teacher(teacher_logits)
    require_logits("decoupled", student, teacher)
    classes = student.shape[-1]
    if classes < 3:
        raise ConfigError(
            f"decoupled: found logits of the shape {tuple(student.shape)}; expected at least 3 "
            "classes, (batch, 3 or more). Use kl_divergence (the method soft_logits) for two."
        )
    true = ops.one_hot(labels, classes, dtype="float32")
    student_true, student_others = _decouple(student / temperature, true)
    teacher_true, teacher_others = _decouple(teacher / temperature, true)
    loss = alpha * _divergence(student_true, teacher_true)
    loss = loss + beta * _divergence(student_others, teacher_others)
    return temperature**2 * loss


def _decouple(logits: Tensor, true: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the log-probabilities of true and not true, and of the others among themselves."""
    others = ops.where(true > 0, -1e30, logits)
    of_others = ops.logsumexp(others, axis=-1)
    # Both from the logits: the log of 1 - p would be infinite for a certain prediction.
    pair = ops.stack([ops.sum(true * logits, axis=-1), of_others], axis=-1)
    return ops.log_softmax(pair, axis=-1), ops.log_softmax(others, axis=-1)


def dist(
    student_logits: Tensor, teacher_logits: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """One less the correlation of the predictions, within samples and within classes.

    Huang et al., "Knowledge Distillation from A Stronger Teacher", 2022, equations 8 and 9:
    Pearson's correlation of the softened probabilities of each sample (inter-class relations)
    and of each class over the batch (intra-class relations). Without the factor
    `temperature ** 2`, which belongs to the weights. Probabilities that are all equal correlate
    with nothing: a batch of one has an intra-class part of 1, without a gradient.

    Args:
      student_logits: `(batch, classes)`.
      teacher_logits: `(batch, classes)`; no gradient flows into them.
      temperature: what both logits are divided by before the softmax.

    Returns:
      Two float32 scalars: inter, averaged over the batch, and intra, averaged over the classes.
    """
    student, teacher = of_student(student_logits), of_teacher(teacher_logits)
    require_logits("dist", student, teacher)
    student = ops.softmax(student / temperature, axis=-1)
    teacher = ops.softmax(teacher / temperature, axis=-1)
    inter, intra = (1 - ops.mean(_correlation(student, teacher, axis)) for axis in (1, 0))
    return inter, intra


def _correlation(first: Tensor, second: Tensor, axis: int) -> Tensor:
    first, second = (one - ops.mean(one, axis=axis, keepdims=True) for one in (first, second))
    products = ops.sum(first * second, axis=axis)
    norms = [safe_sqrt(ops.sum(ops.square(one), axis=axis)) for one in (first, second)]
    # The authors' constant, which also makes rounding of equal probabilities correlate to 0.
    return products / (norms[0] * norms[1] + 1e-8)


def standardize_logits(logits: Tensor) -> Tensor:
    """Returns each sample's logits less their mean, over their standard deviation.

    Sun et al., "Logit Standardization in Knowledge Distillation", 2024, equation 12: goes on
    student's and teacher's logits before any loss on logits. The deviation is the unbiased one
    (over classes - 1) plus 1e-7, as in the authors' code.

    Args:
      logits: `(batch, classes)`, at least two classes. A gradient flows into them.

    Returns:
      `(batch, classes)`, float32.
    """
    logits = of_student(logits)
    classes = logits.shape[-1]
    if len(logits.shape) != 2 or classes < 2:
        raise ConfigError(
            f"standardize_logits: found logits of the shape {tuple(logits.shape)}; expected "
            "(batch, 2 or more classes)."
        )
    centred = logits - ops.mean(logits, axis=-1, keepdims=True)
    variance = ops.sum(ops.square(centred), axis=-1, keepdims=True) / (classes - 1)
    return centred / (1e-7 + safe_sqrt(variance))
