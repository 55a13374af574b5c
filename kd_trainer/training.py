"""Training of a network through the stages of a method, or without a teacher."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from kd_trainer import distribution
from kd_trainer.checkpoint import Checkpoint
from kd_trainer.data import Dataset, TrainingBatches
from kd_trainer.distiller import Distiller
from kd_trainer.distributed_data import fit_data
from kd_trainer.errors import ConfigError
from kd_trainer.methods.base import Method, Setting, Stage
from kd_trainer.metrics import top_k_accuracy
from kd_trainer.networks import build
from kd_trainer.networks.taps import tap_shapes, tapped
from kd_trainer.precision import in_precision, plain
from kd_trainer.recipe import Recipe
from kd_trainer.shared_teacher import SharedTeacher
from kd_trainer.stage_run import Fit, StageRun, Training
from kd_trainer.teacher_outputs import TeacherOutputs

EVAL_BATCH = 250
_REHEARSED = 4


def by_keras(
    distiller: Distiller,
    batches: TrainingBatches,
    eval_set: Dataset | None,
    recipe: Recipe,
    first_epoch: int,
    epochs: int,
    watchers: Sequence[keras.callbacks.Callback],
) -> None:
    """Runs epochs of a stage by Keras's `fit`.

    Args:
      distiller: compiled.
      batches: what is trained on; `on_epoch_begin` moves them on to the next epoch.
      eval_set: what the epochs are measured on, or None.
      recipe: the optimisation.
      first_epoch: the number of the first epoch, from 0.
      epochs: the number after the last one's.
      watchers: are called as Keras calls them.
    """
    distiller.fit(
        **fit_data(recipe.distribution, batches, eval_set, EVAL_BATCH),
        initial_epoch=first_epoch,
        epochs=epochs,
        callbacks=list(watchers),
        verbose=0,
    )


def train(
    network: keras.Model,
    stages: Sequence[Stage],
    recipe: Recipe,
    train_set: Dataset,
    eval_set: Dataset | None,
    seed: int,
    name: str,
    log_dir: Path | None = None,
    checkpoint: Checkpoint | None = None,
    teacher: keras.Model | None = None,
    adapters: Mapping[str, keras.Layer] | None = None,
    teacher_outputs: TeacherOutputs | SharedTeacher | None = None,
    fit: Fit = by_keras,
) -> list[dict[str, Any]]:
    """Trains a network in place, stage after stage.

    A distributed training is called in the scope in which network, teacher and adapters were made.

    Args:
      network: what is trained.
      stages: what each phase minimises; each has an optimizer and a schedule of its own.
      recipe: the optimisation.
      train_set: what is trained on.
      eval_set: what the epochs are measured on, and the best one chosen by; None for neither.
      seed: of the order and the augmentation.
      name: what the network is called in the progress display and in errors.
      log_dir: where TensorBoard's logs and `history.json` go.
      checkpoint: where the state is kept while training; what is there is gone on from.
      teacher: as `Distiller` takes it.
      adapters: as `Distiller` takes them.
      teacher_outputs: where the teacher's are had from, for stages of which that can be.
      fit: what runs the epochs.

    Returns:
      The history: a row an epoch.

    Raises:
      ConfigError: the best epoch is to be kept and there is no eval split, or the batch cannot be
        shared by the replicas.
      DataError: the batch is larger than the data.
      FloatingPointError: a loss is not finite, and the recipe does not have it rolled back, or has
        had it often enough; the term is named.
    """
    if recipe.keep == "best" and eval_set is None:
        raise ConfigError(
            "recipe.keep is 'best', but there is no eval split to choose by. "
            "Set data.eval_fraction above 0 or recipe.keep to 'last'."
        )
    log_dir = log_dir if distribution.is_chief(recipe.distribution) else None
    resumed = checkpoint.position() if checkpoint else None
    history = resumed.history if resumed else []
    whole = Training(
        network,
        stages,
        recipe,
        train_set,
        eval_set,
        seed,
        name,
        log_dir,
        checkpoint,
        teacher,
        adapters,
        teacher_outputs,
        fit,
    )
    for number in range(resumed.stage if resumed else 0, len(stages)):
        going_on = resumed if resumed and number == resumed.stage else None
        StageRun(whole, number, history).run(going_on)
    if log_dir is not None:
        log_dir.mkdir(parents=True, exist_ok=True)
        (log_dir / "history.json").write_text(json.dumps(history, indent=1), encoding="utf-8")
    return history


def train_alone(
    network_name: str, num_classes: int, recipe: Recipe, seed: int, **data: Any
) -> tuple[keras.Model, list[dict[str, Any]]]:
    """Builds a network and trains it on the labels alone, as the teacher and the baseline are.

    Args:
      network_name: as `kd_trainer.networks.build` takes it.
      num_classes: number of logits.
      recipe: the optimisation.
      seed: of the initial weights, the order and the augmentation.
      **data: what `train` takes beside.

    Returns:
      The trained network and the history.
    """
    with distribution.scope(recipe.distribution):
        keras.utils.set_random_seed(seed)
        network = in_precision(build(network_name, num_classes), recipe.precision)
        history = train(network, [Stage("task", recipe.epochs)], recipe, seed=seed, **data)
    return plain(network, recipe), history


def distil(
    teacher: keras.Model,
    student_name: str,
    method: Method,
    num_classes: int,
    recipe: Recipe,
    seed: int,
    train_set: Dataset,
    **data: Any,
) -> tuple[keras.Model, list[dict[str, Any]]]:
    """Builds a student and trains it with a teacher by a method.

    The student starts from the weights that the same network trained alone starts from.

    Args:
      teacher: the trained teacher; it is not changed.
      student_name: as `kd_trainer.networks.build` takes it.
      method: the method.
      num_classes: number of logits.
      recipe: the optimisation.
      seed: of the initial weights, the order and the augmentation.
      train_set: what is trained on.
      **data: what `train` takes beside.

    Returns:
      The trained student, without teacher and adapters, and the history.

    Raises:
      ConfigError: the networks' taps do not fit the method or each other, or the method cannot be
        distributed.
    """
    distribution.check(recipe.distribution, method)
    with distribution.scope(recipe.distribution):
        ready = prepared(teacher, student_name, method, num_classes, recipe, seed, train_set)
        network, history = ready.trained(recipe, seed, train_set=train_set, **data)
    return plain(network, recipe), history


class Prepared(NamedTuple):
    """A student before its training.

    Attributes:
      network: what is trained.
      teacher: what stands in the teacher's place.
      adapters: the method's.
      stages: the method's.
    """

    network: keras.Model
    teacher: keras.Model
    adapters: Mapping[str, keras.Layer]
    stages: Sequence[Stage]

    def trained(
        self, recipe: Recipe, seed: int, **data: Any
    ) -> tuple[keras.Model, list[dict[str, Any]]]:
        """Trains the network in place, as `train` does, and returns it and the history."""
        given = {"teacher": self.teacher, "adapters": self.adapters}
        return self.network, train(self.network, self.stages, recipe, seed=seed, **given, **data)


def prepared(
    teacher: keras.Model,
    student_name: str,
    method: Method,
    num_classes: int,
    recipe: Recipe,
    seed: int,
    train_set: Dataset,
) -> Prepared:
    """Builds what `distil` trains.

    Raises:
      ConfigError: as `distil`.
    """
    keras.utils.set_random_seed(seed)
    student = in_precision(build(student_name, num_classes), recipe.precision)
    network, in_teachers_place = method.networks(student, in_precision(teacher, recipe.precision))
    adapters = fit_taps(in_teachers_place, network, method, recipe.epochs, train_set.labels)
    return Prepared(network, in_teachers_place, adapters, method.stages(recipe.epochs))


def fit_taps(
    teacher: keras.Model, student: keras.Model, method: Method, epochs: int, labels: np.ndarray
) -> dict[str, keras.Layer]:
    """Holds a method against two networks and returns the method's adapters.

    A step of each stage is rehearsed on a few black images; nothing is changed by it.

    Args:
      teacher: the teacher.
      student: the student.
      method: the method.
      epochs: of the recipe.
      labels: class numbers of the training set.

    Raises:
      ConfigError: a tap does not exist, the adapters or losses cannot bridge two taps, or the
        networks differ in their input or the number of their logits.
    """
    stages = method.stages(epochs)
    for network, taps in [
        (student, [tap for stage in stages for tap in stage.student_taps]),
        (teacher, [tap for stage in stages for tap in stage.teacher_taps]),
    ]:
        tapped(network, ["logits", *taps])
    setting = Setting(tap_shapes(student), tap_shapes(teacher), teacher, labels)
    if setting.student["logits"] != setting.teacher["logits"]:
        raise ConfigError(
            f"The teacher {teacher.name!r} has {setting.teacher['logits'][0]} classes, the student "
            f"{student.name!r} {setting.student['logits'][0]}. They must be trained for the same."
        )
    adapters = method.adapters(setting)
    images = np.zeros((_REHEARSED, *student.inputs[0].shape[1:]), "uint8")
    for stage in stages:
        _rehearse(Distiller(student, stage, teacher, adapters), images)
    return adapters


def _rehearse(distiller: Distiller, images: np.ndarray) -> None:
    """Computes the loss of some images, so that the losses see the shapes they will be given."""
    labels: Any = np.zeros(len(images), "int64")
    if distiller.stage.reads_indices:
        labels = {"label": labels, "index": labels}
    # Within the scope no variable is changed.
    with keras.StatelessScope():
        distiller.parts(labels, distiller(images, training=True))


def accuracy(network: keras.Model, dataset: Dataset) -> Mapping[str, float]:
    """Returns `top1` and `top5`, the shares of images whose label is among the first logits."""
    logits = network.predict(dataset.images, batch_size=EVAL_BATCH, verbose=0)
    return {f"top{k}": top_k_accuracy(logits, dataset.labels, k) for k in (1, 5)}


def parameters(network: keras.Model) -> int:
    """Returns the number of trainable parameters."""
    return sum(int(np.prod(weight.shape)) for weight in network.trainable_weights)
