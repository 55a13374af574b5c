"""Our own training steps, ready to be measured."""

import dataclasses
import time
from typing import Any

import keras
import numpy as np

from benchmarks.speed.paired import Subject
from kd_trainer import methods
from kd_trainer.distiller import Distiller
from kd_trainer.methods.base import Stage
from kd_trainer.networks import build
from kd_trainer.precision import in_precision
from kd_trainer.recipe import Precision
from kd_trainer.training import fit_taps

CLASSES = 100


def batch(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns images and labels; a step's time does not depend on what they show."""
    drawn = np.random.default_rng(0)
    images = drawn.integers(0, 256, (size, 32, 32, 3), dtype=np.uint8)
    return images, drawn.integers(0, CLASSES, size)


class Steps:
    """Steps of a student and its teacher, by what trains them.

    Args:
      student: a network's name.
      teacher: a network's name.
      size: images a step.
      precision: of both networks.
    """

    def __init__(self, student: str, teacher: str, size: int, precision: Precision = "float32"):
        self._images, self._labels = batch(size)
        self._student, self._precision = student, precision
        self._teacher = in_precision(build(teacher, CLASSES), precision)

    def alone(self, network: str | None = None) -> Subject:
        """A step on the labels alone; without a name it is the student's."""
        return self._step(
            Distiller(self._built(network or self._student), Stage("task", 1), weight_decay=5e-4)
        )

    def teacher_forward(self) -> Subject:
        """What the distiller's teacher computes, to its logits."""
        stage = Stage("forward", 1, teacher_taps=("logits",), terms=lambda step: {})
        teacher = Distiller(self._built(self._student), stage, self._teacher).teacher
        return self._timed(lambda images, labels: teacher(images, training=False)["logits"])

    def distillation(self, spec: Any) -> Subject:
        """A step of a method's last stage."""
        method = methods.create(spec)
        student, teacher = method.networks(self._built(self._student), self._teacher)
        adapters = fit_taps(teacher, student, method, 1, self._labels)
        stage = method.stages(1)[-1]
        return self._step(Distiller(student, stage, teacher, adapters, weight_decay=5e-4))

    def derived(self) -> Subject:
        """The step of Jacobian matching without its comparison of the derivatives."""
        method = methods.create({"name": "jacobian_matching"})
        stage = method.stages(1)[-1]

        def means(step: Any) -> dict[str, Any]:
            read = [keras.ops.mean(step.student[name]) for name in stage.jacobians]
            return dict.fromkeys(stage.weights, sum(read))

        stage = dataclasses.replace(stage, terms=means)
        return self._step(
            Distiller(self._built(self._student), stage, self._teacher, {}, weight_decay=5e-4)
        )

    def _built(self, name: str) -> keras.Model:
        return in_precision(build(name, CLASSES), self._precision)

    def _step(self, distiller: Distiller) -> Subject:
        optimizer = keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True)
        distiller.compile(optimizer, jit_compile=False)
        optimizer.build(distiller.trainable_variables)
        indices = distiller.stage.reads_indices

        def step(images: Any, labels: Any) -> Any:
            given = {"label": labels, "index": labels} if indices else labels
            return distiller.train_step((images, given))

        return self._timed(step)

    def _timed(self, function: Any) -> Subject:
        import tensorflow as tf

        images, labels = tf.constant(self._images), tf.constant(self._labels)
        compiled = tf.function(function)

        def subject() -> float:
            start = time.perf_counter()
            results = compiled(images, labels)
            tf.nest.map_structure(lambda tensor: tensor.numpy(), results)
            return time.perf_counter() - start

        return subject
