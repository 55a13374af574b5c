"""The distiller: a Keras model that trains a student by one stage of a method."""

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from kd_trainer import distribution
from kd_trainer.fused import fused
from kd_trainer.gradients import REST, TASK, bounded_step, taps_and_jacobians
from kd_trainer.losses import cross_entropy
from kd_trainer.methods.base import Stage, Step, Taps
from kd_trainer.networks.taps import differentiable, tapped
from kd_trainer.teacher import frozen, inferring

Tensor = Any


class Distiller(keras.Model):
    """Minimises the weighted sum of the task loss, a stage's terms and the weight decay.

    One forward pass of the student and one of the teacher a step, however many taps are read.
    Only the student's layers that lead to the taps read, and the stage's adapters, are trained.
    Without a teacher it is plain supervised training.

    Args:
      student: a network of `kd_trainer.networks`.
      stage: what is minimised.
      teacher: the teacher; a frozen copy of it is used, itself only where the stage trains it.
        None where the stage reads none of it.
      adapters: the method's adapters by name; `trainable` is set on them as the stage has it.
      weight_decay: the gradient of a variable w gets `weight_decay * w` added.
      teacher_given: whether batches bring the teacher's outputs along, and it is not run.

    Raises:
      ConfigError: a tap does not exist.
    """

    def __init__(
        self,
        student: keras.Model,
        stage: Stage,
        teacher: keras.Model | None = None,
        adapters: Mapping[str, keras.Layer] | None = None,
        weight_decay: float = 0.0,
        teacher_given: bool = False,
    ):
        super().__init__(name=f"{stage.name}_distiller")
        self.stage = stage
        taps = {*stage.student_taps, *(["logits"] if stage.task_weight else [])}
        self.reads_logits = "logits" in taps
        self.student = self._view(student, taps) if taps else None
        self.teacher = None
        if stage.teacher_taps and not teacher_given:
            assert teacher is not None, f"the stage {stage.name!r} reads a teacher"
            if stage.teacher_mode == "inference":
                inferred = inferring(teacher, stage.teacher_taps)
                self.teacher = differentiable(inferred) if stage.jacobians else fused(inferred)
            else:
                trained = stage.teacher_mode == "trained"
                network = teacher if trained else frozen(teacher)
                self.teacher = self._view(network, stage.teacher_taps)
        self.adapters = dict(adapters or {})
        for name, layer in self.adapters.items():
            layer.trainable = name in stage.adapters
        self.weight_decay = weight_decay
        self.term_weights = {name: self._course(name) for name in stage.weights}
        self.gradient_bounds = {
            name: self._course(f"{name}_bound") for name in stage.gradient_bounds
        }
        self.set_epoch(0)
        names = [TASK] * self.reads_logits + list(stage.weights)
        self.term_trackers = {name: keras.metrics.Mean(name) for name in names}
        self.accuracy = keras.metrics.SparseCategoricalAccuracy("accuracy")
        self.built = True

    def _view(self, network: keras.Model, taps: Any) -> keras.Model:
        view = tapped(network, sorted(taps))
        # TensorFlow cannot derive the fused operation twice.
        return differentiable(view) if self.stage.jacobians else fused(view)

    def _course(self, name: str) -> keras.Variable:
        return self.add_weight(shape=(), initializer="zeros", trainable=False, name=name)

    def set_epoch(self, epoch: int) -> None:
        """Sets the terms' weights and bounds to what they are in the stage's epoch, from 0."""
        for courses, variables in [
            (self.stage.weights, self.term_weights),
            (self.stage.gradient_bounds, self.gradient_bounds),
        ]:
            for name, course in courses.items():
                variables[name].assign(course(epoch) if callable(course) else course)

    def call(self, images: Tensor, training: bool = False) -> dict[str, Taps]:
        """Returns the taps, `{"student": {...}, "teacher": {...}}`.

        Outside training only the student's are computed and returned, and no derivatives.
        """
        if self.stage.jacobians:
            images = ops.cast(images, "float32")
        if not training:
            return {"student": self.student(images, training=False) if self.student else {}}
        teacher: Taps = {}
        if self.teacher is not None:
            trained = self.stage.teacher_mode == "trained"
            teacher = self._run(self.teacher, images, self.stage.teacher_mode != "inference", {})
            if not trained:
                teacher = {tap: ops.stop_gradient(output) for tap, output in teacher.items()}
        student: Taps = {}
        if self.student is not None:
            student = self._run(self.student, images, True, teacher)
        return {"student": student, "teacher": teacher}

    def _run(self, network: keras.Model, images: Tensor, training: bool, teacher: Taps) -> Taps:
        if not self.stage.jacobians:
            return network(images, training=training)
        scalars = {
            name: lambda taps, scalar=scalar: scalar(taps, teacher or taps)
            for name, scalar in self.stage.jacobians.items()
        }
        taps, jacobians = taps_and_jacobians(network, images, training, scalars)
        return {**taps, **jacobians}

    def parts(self, labels: Any, outputs: Mapping[str, Taps]) -> dict[str, Tensor]:
        """Returns the weighted loss in parts and tracks each unweighted term under its name.

        Args:
          labels: class numbers `(batch,)`, or `{"label": ...}` with what else the batch brings:
            `index`, where the stage reads indices, and `teacher`, the teacher's taps.
          outputs: what the call returned, in training mode.

        Returns:
          The task loss, each term whose gradient is bounded, and the rest.
        """
        student, teacher = outputs["student"], outputs["teacher"]
        indices = None
        if isinstance(labels, Mapping):
            teacher = labels.get("teacher", teacher)
            labels, indices = labels["label"], labels.get("index")
        rest = ops.zeros((), "float32")
        parts = {TASK: ops.zeros((), "float32")}
        if self.reads_logits:
            task = cross_entropy(student["logits"], labels)
            self._track(TASK, task, labels)
            parts[TASK] = self.stage.task_weight * task
        step = Step(student, teacher, labels, self.adapters, indices)
        for name, value in self.stage.terms(step).items():
            self._track(name, value, labels)
            weighted = self.term_weights[name] * value
            if name in self.gradient_bounds:
                parts[name] = weighted
            else:
                rest += weighted
        if self.weight_decay:
            squares = [ops.sum(ops.square(weight)) for weight in self.trainable_variables]
            rest += 0.5 * self.weight_decay * sum(squares)
        return {**parts, REST: rest}

    def compute_loss(
        self,
        x: Tensor = None,
        y: Tensor = None,
        y_pred: Any = None,
        sample_weight: Tensor = None,
        training: bool = True,
    ) -> Tensor:
        """Returns the total loss; outside training the task loss alone.

        Of a replica it is what its share adds to the loss of the whole batch.
        """
        if training:
            total = sum(self.parts(y, y_pred).values())
        else:
            task = cross_entropy(y_pred["student"]["logits"], y)
            self._track(TASK, task, y)
            total = self.stage.task_weight * task
        return total / distribution.replicas()

    def train_step(self, *arguments: Any) -> Any:
        """Trains on a batch, as `keras.Model` does or with the stage's bounds."""
        if self.gradient_bounds:
            return bounded_step(self, *arguments)
        return super().train_step(*arguments)

    def track_loss(self, total: Tensor, images: Tensor) -> None:
        """Adds a batch's total loss to what `fit` reports."""
        self._loss_tracker.update_state(total, sample_weight=ops.shape(images)[0])

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
        training = "teacher" in y_pred
        if self.reads_logits:
            labels = y["label"] if isinstance(y, Mapping) else y
            self.accuracy.update_state(labels, y_pred["student"]["logits"])
            measured |= {TASK, "accuracy"}
        if training:
            measured |= set(self.stage.weights)
        results = self.get_metrics_result()
        return {
            name: distribution.reported(value)
            for name, value in results.items()
            if name in measured
        }

    def _get_metrics_result_or_logs(self, logs: Mapping[str, Any]) -> dict[str, Any]:
        # What all replicas measured, not the mean of what each of them did.
        results = self.get_metrics_result()
        return {name: results[name] for name in logs}

    def _maybe_symbolic_build(self, *arguments: Any, **options: Any) -> None:
        # All is built; to build it again, Keras would use up a batch that is to be trained on.
        pass
