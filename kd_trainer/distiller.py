"""The distiller: a Keras model that trains a student by one stage of a method."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from kd_trainer.losses import cross_entropy
from kd_trainer.methods.base import Stage
from kd_trainer.networks.taps import tapped
from kd_trainer.teacher import frozen

Tensor = Any
TASK = "task"


class Distiller(keras.Model):
    """Minimises the weighted sum of the task loss, a stage's terms and the weight decay.

    One forward pass of the student and one of the teacher a step, however many taps are read.
    Only the student's layers that lead to the taps read, and their adapters, are trained. Without
    a teacher it is plain supervised training.

    Args:
      student: a network of `kd_trainer.networks`.
      stage: what is minimised.
      teacher: the teacher; a frozen copy of it is used. None where the stage reads none of it.
      adapters: layers by the student's tap they are applied to.
      teacher_training: whether the teacher runs in training mode.
      weight_decay: the gradient of a variable w gets `weight_decay * w` added.

    Raises:
      ConfigError: a tap does not exist.
    """

    def __init__(
        self,
        student: keras.Model,
        stage: Stage,
        teacher: keras.Model | None = None,
        adapters: Mapping[str, keras.Layer] | None = None,
        teacher_training: bool = False,
        weight_decay: float = 0.0,
    ):
        super().__init__(name=f"{stage.name}_distiller")
        self.stage = stage
        taps = {*stage.student_taps, *(["logits"] if stage.task_weight else [])}
        self.reads_logits = "logits" in taps
        self.student = tapped(student, sorted(taps))
        self.teacher = None
        if stage.teacher_taps:
            assert teacher is not None, f"the stage {stage.name!r} reads a teacher"
            self.teacher = tapped(frozen(teacher), stage.teacher_taps)
        self.adapters = {
            tap: layer for tap, layer in (adapters or {}).items() if tap in stage.student_taps
        }
        self.teacher_training = teacher_training
        self.weight_decay = weight_decay
        self.term_weights = {
            name: self.add_weight(shape=(), initializer="zeros", trainable=False, name=name)
            for name in stage.weights
        }
        self.set_progress(0.0)
        names = [TASK] * self.reads_logits + list(stage.weights)
        self.term_trackers = {name: keras.metrics.Mean(name) for name in names}
        self.accuracy = keras.metrics.SparseCategoricalAccuracy("accuracy")
        self.built = True

    def set_progress(self, done: float) -> None:
        """Sets the terms' weights to what they are when `done`, from 0 to 1, of the stage is."""
        for name, weight in self.stage.weights.items():
            self.term_weights[name].assign(weight(done) if callable(weight) else weight)

    def call(self, images: Tensor, training: bool = False) -> dict[str, dict[str, Tensor]]:
        """Returns the taps, `{"student": {...}, "teacher": {...}}`, adapted ones after adapting.

        Outside training only the student's own taps are computed and returned.
        """
        student = dict(self.student(images, training=training))
        if not training:
            return {"student": student}
        for tap, adapter in self.adapters.items():
            student[tap] = adapter(student[tap], training=True)
        teacher = {}
        if self.teacher is not None:
            teacher = self.teacher(images, training=self.teacher_training)
            teacher = {tap: ops.stop_gradient(output) for tap, output in teacher.items()}
        return {"student": student, "teacher": teacher}

    def compute_loss(
        self,
        x: Tensor = None,
        y: Tensor = None,
        y_pred: Any = None,
        sample_weight: Tensor = None,
        training: bool = True,
    ) -> Tensor:
        """Returns the total loss and tracks each unweighted term under its name."""
        student = y_pred["student"]
        total = ops.zeros((), "float32")
        if self.reads_logits:
            task = cross_entropy(student["logits"], y)
            self._track(TASK, task, y)
            total += self.stage.task_weight * task
        if not training:
            return total
        for name, value in self.stage.terms(student, y_pred["teacher"], y).items():
            self._track(name, value, y)
            total += self.term_weights[name] * value
        if self.weight_decay:
            squares = [ops.sum(ops.square(weight)) for weight in self.trainable_variables]
            total += 0.5 * self.weight_decay * sum(squares)
        return total

    def _track(self, name: str, value: Tensor, labels: Tensor) -> None:
        # Weighted by its images: validation's last batch is smaller.
        self.term_trackers[name].update_state(value, sample_weight=ops.shape(labels)[0])

    def compute_metrics(
        self, x: Tensor, y: Tensor, y_pred: Any, sample_weight: Tensor = None
    ) -> dict[str, Tensor]:
        """Returns what was measured: the loss, the terms, the student's top-1 accuracy.

        Terms are measured in training alone, task loss and accuracy where the logits are read.
        """
        measured = {"loss"}
        if self.reads_logits:
            self.accuracy.update_state(y, y_pred["student"]["logits"])
            measured |= {TASK, "accuracy"}
        if "teacher" in y_pred:
            measured |= set(self.stage.weights)
        results = self.get_metrics_result()
        return {name: value for name, value in results.items() if name in measured}
