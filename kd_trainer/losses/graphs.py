"""Losses on graphs of attention between the samples of a batch."""

from typing import Any

from keras import ops

from kd_trainer.losses.numerics import of_student, of_teacher
from kd_trainer.losses.shapes import require_equal

Tensor = Any


def attention_graph(student_graph: Tensor, teacher_graph: Tensor) -> Tensor:
    """Divergence of the attention that the samples of a batch pay one another.

    Lee and Song, "Graph-based Knowledge Distillation by Multi-head Attention Network", 2019,
    section 3.3, as in the authors' code: KL(p_student ‖ p_teacher), p the softmax of tanh of each
    row of a graph. Here the student comes first, other than in kl_divergence.

    Args:
      student_graph: attention before the softmax, `(heads, batch, batch)`.
      teacher_graph: the same shape; no gradient flows into it.

    Returns:
      A float32 scalar: summed over a row and the heads, averaged over the rows, the batch.
    """
    student, teacher = of_student(student_graph), of_teacher(teacher_graph)
    require_equal("attention_graph", student, teacher)
    student, teacher = (ops.log_softmax(ops.tanh(one), axis=-1) for one in (student, teacher))
    divergences = ops.sum(ops.exp(student) * (student - teacher), axis=-1)
    return ops.mean(ops.sum(divergences, axis=0))
