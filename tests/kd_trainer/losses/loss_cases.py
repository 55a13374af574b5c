"""Every loss with its inputs and its properties, for the tests to run over."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np
import numpy_losses as reference
import tensorflow as tf

from kd_trainer import losses


def wave(function: Callable, step: float, shift: float, *shape: int) -> np.ndarray:
    return function(step * np.arange(np.prod(shape)) + shift).reshape(shape)


# The inputs for which reference implementations were run (float64).
STUDENT_LOGITS = 3 * wave(np.sin, 0.7, 0.3, 4, 5)
TEACHER_LOGITS = 4 * wave(np.cos, 0.5, 0.0, 4, 5)
LABELS = np.array([1, 0, 3, 4])
STUDENT_MAPS = [wave(np.sin, 0.31, 0.1, 4, 4, 4, 3), wave(np.sin, 0.17, 0.2, 4, 2, 2, 6)]
TEACHER_MAPS = [wave(np.cos, 0.23, 0.0, 4, 4, 4, 3), wave(np.cos, 0.19, 0.4, 4, 2, 2, 6)]
STUDENT_EMBEDDING = wave(np.sin, 0.9, 0.2, 4, 6)
TEACHER_EMBEDDING = wave(np.cos, 0.8, 0.0, 4, 6)

MAP, SMALL_MAP, WIDE_MAP = (4, 4, 3), (2, 2, 3), (2, 2, 6)
EMBEDDING, CLASSES = (6,), (5,)


@dataclass(frozen=True)
class Case:
    """A loss of lists of tensors.

    Attributes:
      name: in CASES.
      loss: of the student's and the teacher's list.
      reference: the same in NumPy.
      student: the shapes of one sample of the student's tensors.
      teacher: the teacher's.
      zero: a student like its teacher has no loss.
      per_sample: the loss is the mean of the samples' own losses.
      scale: the positive scale of either side does not matter.
    """

    name: str
    loss: Callable
    reference: Callable
    student: tuple = (MAP,)
    teacher: tuple = (MAP,)
    zero: bool = True
    per_sample: bool = True
    scale: bool = False

    def draw(self, batch: int = 4, seed: int = 0) -> tuple[list, list]:
        """Normally distributed inputs, all different."""
        random = np.random.default_rng(seed)
        return tuple(
            [random.normal(0, 1, (batch, *shape)) for shape in side]
            for side in (self.student, self.teacher)
        )


def of_one(loss: Callable, *arguments: float) -> Callable:
    return lambda student, teacher: loss(student[0], teacher[0], *arguments)


def decoupled(student: list, teacher: list) -> tf.Tensor:
    # Labels that go with the sample, wherever in the batch it is.
    labels = keras.ops.argmin(keras.ops.cast(teacher[0], "float32"), axis=-1)
    return losses.decoupled(student[0], teacher[0], labels, 1.0, 8.0, 4.0)


def standardized_kl(student: list, teacher: list) -> tf.Tensor:
    standard = [losses.standardize_logits(side[0]) for side in (student, teacher)]
    return losses.kl_divergence(*standard, 2.0)


def variational(student: list, teacher: list) -> tf.Tensor:
    # From its logarithm, for the variance is positive.
    log_variance = keras.ops.cast(student[1], "float32")
    variance = keras.ops.exp(keras.ops.clip(log_variance, -10, 10))
    return losses.variational_information(student[0], variance, teacher[0])


LOGITS = {"student": (CLASSES,), "teacher": (CLASSES,)}
EMBEDDINGS = {"student": (EMBEDDING,), "teacher": ((8,),), "per_sample": False}
STAGES = {"student": (MAP, WIDE_MAP), "teacher": (MAP, WIDE_MAP)}

CASES = {
    case.name: case
    for case in [
        Case(
            "kl_divergence",
            of_one(losses.kl_divergence, 4.0),
            partial(reference.kl_divergence, temperature=4.0),
            **LOGITS,
        ),
        Case(
            "symmetric_divergence",
            of_one(losses.symmetric_divergence, 2.0),
            partial(reference.symmetric_divergence, temperature=2.0),
            **LOGITS,
        ),
        Case("hint", of_one(losses.hint), reference.hint),
        Case(
            "attention_transfer",
            of_one(losses.attention_transfer),
            reference.attention_transfer,
            teacher=((2, 2, 5),),
            scale=True,
        ),
        Case(
            "attention_distance",
            of_one(losses.attention_distance),
            reference.attention_distance,
            teacher=((2, 2, 5),),
            scale=True,
        ),
        Case(
            "activation_boundary",
            of_one(losses.activation_boundary),
            reference.activation_boundary,
            zero=False,
        ),
        Case("partial_distance", of_one(losses.partial_distance), reference.partial_distance),
        Case(
            "flow_of_solution_procedure",
            losses.flow_of_solution_procedure,
            reference.flow_of_solution_procedure,
            **STAGES,
        ),
        Case("kd_svd", losses.kd_svd, reference.kd_svd, **STAGES, scale=True),
        Case(
            "kd_svd_k2",
            partial(losses.kd_svd, k=2),
            partial(reference.kd_svd, k=2),
            **STAGES,
            scale=True,
        ),
        Case(
            "rkd_distance",
            of_one(losses.rkd_distance),
            reference.rkd_distance,
            **EMBEDDINGS,
            scale=True,
        ),
        Case(
            "rkd_distance_self_pairs",
            of_one(losses.rkd_distance, True),
            partial(reference.rkd_distance, self_pairs=True),
            **EMBEDDINGS,
            scale=True,
        ),
        Case("rkd_angle", of_one(losses.rkd_angle), reference.rkd_angle, **EMBEDDINGS, scale=True),
        Case(
            "jacobian_matching",
            of_one(losses.jacobian_matching),
            reference.jacobian_matching,
            scale=True,
        ),
        Case(
            "factor_transfer", of_one(losses.factor_transfer), reference.factor_transfer, scale=True
        ),
        Case(
            "variational_information",
            variational,
            reference.variational_information,
            student=(MAP, MAP),
            zero=False,
        ),
        Case(
            "similarity_preserving",
            of_one(losses.similarity_preserving),
            reference.similarity_preserving,
            teacher=(WIDE_MAP,),
            per_sample=False,
            scale=True,
        ),
        Case(
            "correlation_congruence",
            of_one(losses.correlation_congruence),
            reference.correlation_congruence,
            student=(EMBEDDING,),
            teacher=(EMBEDDING,),
            per_sample=False,
        ),
        Case(
            "probabilistic_knowledge_transfer",
            of_one(losses.probabilistic_knowledge_transfer),
            reference.probabilistic_knowledge_transfer,
            **EMBEDDINGS,
            scale=True,
        ),
        Case(
            "neuron_selectivity_transfer",
            of_one(losses.neuron_selectivity_transfer),
            reference.neuron_selectivity_transfer,
            teacher=((4, 4, 5),),
            scale=True,
        ),
        Case(
            "decoupled",
            decoupled,
            partial(reference.decoupled, alpha=1.0, beta=8.0, temperature=4.0),
            **LOGITS,
        ),
        Case(
            "dist_inter",
            lambda s, t: losses.dist(s[0], t[0], 4.0)[0],
            partial(reference.dist, temperature=4.0, axis=1),
            **LOGITS,
        ),
        Case(
            "dist_intra",
            lambda s, t: losses.dist(s[0], t[0], 4.0)[1],
            partial(reference.dist, temperature=4.0, axis=0),
            **LOGITS,
            per_sample=False,
        ),
        Case(
            "standardized_kl",
            standardized_kl,
            partial(reference.standardized_kl, temperature=2.0),
            **LOGITS,
            scale=True,
        ),
        Case(
            "hierarchical_context",
            of_one(losses.hierarchical_context),
            reference.hierarchical_context,
        ),
    ]
}


def loss_and_gradients(loss: Callable, student: list, teacher: list) -> tuple[float, list]:
    """The loss and its gradients by all of the student's tensors."""
    variables = [tf.Variable(tensor) for tensor in student]
    with tf.GradientTape() as tape:
        value = loss(variables, teacher)
    gradients = tape.gradient(value, variables, unconnected_gradients="zero")
    return float(value), [gradient.numpy() for gradient in gradients]


def slopes(function: Callable, tensors: list, step: float = 1e-6) -> list:
    """Central differences of a float64 function by every element of its tensors."""
    found = []
    for which, tensor in enumerate(tensors):
        slope = np.empty_like(tensor)
        for index in np.ndindex(tensor.shape):
            ends = []
            for sign in (1, -1):
                moved = tensor.copy()
                moved[index] += sign * step
                ends.append(function([*tensors[:which], moved, *tensors[which + 1 :]]))
            slope[index] = (ends[0] - ends[1]) / (2 * step)
        found.append(slope)
    return found
