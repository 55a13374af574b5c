"""Our own training steps, ready to be measured."""

import dataclasses
import time
from typing import Any

import keras
import numpy as np

from benchmarks.speed.paired import Subject
from kd_trainer import methods
from kd_trainer.distiller import Distiller
from kd_trainer.methods.base import Method, Stage, Step
from kd_trainer.networks import build
from kd_trainer.precision import in_precision
from kd_trainer.recipe import Precision
from kd_trainer.training import fit_taps

CLASSES = 100
IMAGES = 50_000  # of the data, which some methods remember each of


def batch(size: int, classes: int = CLASSES) -> tuple[np.ndarray, np.ndarray]:
    """Returns images and labels; a step's time does not depend on what they show."""
    drawn = np.random.default_rng(0)
    images = drawn.integers(0, 256, (size, 32, 32, 3), dtype=np.uint8)
    return images, drawn.integers(0, classes, size)


def spec(name: str) -> dict[str, str]:
    """Returns the specification of a method, or of `METHOD/PRESET`."""
    return dict(zip(("name", "preset"), name.split("/"), strict=False))


def labels(images: int = IMAGES, classes: int = CLASSES) -> np.ndarray:
    """Returns the labels of the whole data."""
    return np.arange(images) % classes


def taught_stage(method: Method) -> Stage:
    """Returns a method's last stage that reads the teacher."""
    return [stage for stage in method.stages(2) if stage.teacher_taps][-1]


class Steps:
    """Steps of a student and its teacher, by what trains them.

    Args:
      student: a network's name.
      teacher: a network's name.
      size: images a step.
      precision: of both networks.
      images: of the data.
      classes: number of logits.
    """

    def __init__(
        self,
        student: str,
        teacher: str,
        size: int,
        precision: Precision = "float32",
        images: int = IMAGES,
        classes: int = CLASSES,
    ):
        self._images, self._labels = batch(size, classes)
        self._student, self._precision, self._classes = student, precision, classes
        self._data_labels = labels(images, classes)
        self._teacher = self._built(teacher)

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
        """A step of a method's last stage that reads the teacher."""
        method = methods.create(spec)
        student, teacher = method.networks(self._built(self._student), self._teacher)
        adapters = fit_taps(teacher, student, method, 1, self._data_labels)
        stage = taught_stage(method)
        return self._step(Distiller(student, stage, teacher, adapters, weight_decay=5e-4))

    def without_comparison(self, spec: Any) -> Subject:
        """The step of a method's last stage with means in the place of its losses.

        The means are of what its losses read: the taps, and what the adapters make of them.
        """
        method = methods.create(spec)
        student, teacher = method.networks(self._built(self._student), self._teacher)
        adapters = fit_taps(teacher, student, method, 1, self._data_labels)
        stage = taught_stage(method)

        def means(step: Step) -> dict[str, Any]:
            read = [
                taps[name]
                for taps in (step.student, step.teacher)
                for name in taps
                if name != "logits"
            ]

            def kept(adapter: Any) -> Any:
                def called(*inputs: Any, training: bool) -> Any:
                    outputs = adapter(*inputs, training=training)
                    read.extend(keras.tree.flatten(outputs))
                    return outputs

                return called

            # What it compares is nobody's input, and so is not computed.
            asked = {name: kept(adapter) for name, adapter in step.adapters.items()}
            stage.terms(dataclasses.replace(step, adapters=asked))
            total = sum(keras.ops.mean(keras.ops.cast(output, "float32")) for output in read)
            return dict.fromkeys(stage.weights, total)

        plain = dataclasses.replace(stage, terms=means)
        return self._step(Distiller(student, plain, teacher, adapters, weight_decay=5e-4))

    def _built(self, name: str) -> keras.Model:
        return in_precision(build(name, self._classes), self._precision)

    def _step(self, distiller: Distiller) -> Subject:
        optimizer = keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True)
        distiller.compile(optimizer, jit_compile=False)
        optimizer.build(distiller.trainable_variables)
        indices = keras.ops.arange(len(self._labels)) if distiller.stage.reads_indices else None

        def step(images: Any, labels: Any) -> Any:
            given = labels if indices is None else {"label": labels, "index": indices}
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
