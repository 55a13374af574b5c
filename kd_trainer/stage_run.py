"""A stage of a training, from where a killed run was to its end."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from kd_trainer import callbacks, distribution
from kd_trainer.callbacks import NotFiniteError
from kd_trainer.checkpoint import Checkpoint, Position, Variables
from kd_trainer.data import Dataset, TrainingBatches
from kd_trainer.distiller import Distiller
from kd_trainer.methods.base import Stage
from kd_trainer.recipe import Recipe
from kd_trainer.rollback import Rollbacks, State
from kd_trainer.schedules import learning_rate
from kd_trainer.shared_teacher import SharedTeacher
from kd_trainer.taught_batches import TaughtBatches
from kd_trainer.teacher_outputs import TeacherOutputs

# Runs epochs of a stage, as `kd_trainer.training.by_keras` does, with its arguments.
Fit = Callable[..., None]


@dataclass(frozen=True)
class Training:
    """What is the same in all stages: the arguments of `kd_trainer.training.train`."""

    network: keras.Model
    stages: Sequence[Stage]
    recipe: Recipe
    train_set: Dataset
    eval_set: Dataset | None
    seed: int
    name: str
    log_dir: Path | None
    checkpoint: Checkpoint | None
    teacher: keras.Model | None
    adapters: Mapping[str, keras.Layer] | None
    teacher_outputs: TeacherOutputs | SharedTeacher | None
    fit: Fit


class StageRun:
    """Trains a stage; each epoch adds its row to the history.

    Args:
      training: the whole.
      number: the stage's, from 0.
      history: the rows so far.
    """

    def __init__(self, training: Training, number: int, history: list[dict[str, Any]]):
        self._training, self._number, self._history = training, number, history
        self._stage = training.stages[number]
        self._rollbacks = Rollbacks(training.recipe, history)

    def run(self, start: Position | None = None) -> None:
        """Trains it to its end.

        Args:
          start: where the checkpoint was in it; None if it begins.

        Raises:
          NotFiniteError: a loss is not finite, and the recipe does not have it rolled back, or has
            had it often enough.
        """
        state: State | None = self._training.checkpoint if start else None
        while True:
            try:
                self._go_on(start or Position(self._number, 0, self._history, -1.0), state)
            except NotFiniteError as error:
                state = self._rollbacks.after(error)
                start = state.position()
            else:
                return

    def _go_on(self, start: Position, state: State | None) -> None:
        training, stage = self._training, self._stage
        done = sum(stage.epochs for stage in training.stages[: self._number]) + start.epochs
        order = (training.train_set, training.recipe, training.seed, done, stage.reads_indices)
        with _batches(order, stage, training.teacher, training.teacher_outputs) as batches:
            distiller = self._compiled(batches)
            variables = self._variables(distiller)
            best = state.restore(variables) if state else []
            keeper = callbacks.KeepBest(training.network, start.best, best)
            save = self._saving(variables, keeper)
            if self._rollbacks.may_come:
                self._rollbacks.state.save(start, variables, best)
            training.fit(
                distiller,
                batches,
                training.eval_set if distiller.reads_logits else None,
                training.recipe,
                start.epochs,
                stage.epochs,
                [
                    *self._watchers(done, len(batches), variables, keeper),
                    callbacks.EndOfEpoch(save),
                ],
            )

    def _compiled(self, batches: TrainingBatches) -> Distiller:
        training, stage, recipe = self._training, self._stage, self._rollbacks.recipe
        distiller = Distiller(
            training.network,
            stage,
            training.teacher,
            training.adapters,
            recipe.weight_decay,
            batches.taught,
        )
        if recipe.distribution != "none":
            distribution.synchronise(distiller)
        optimizer = keras.optimizers.SGD(
            learning_rate(stage.schedule or recipe.schedule, recipe, stage.epochs, len(batches)),
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
        )
        # XLA makes these steps slower on the CPU.
        distiller.compile(optimizer, jit_compile=keras.backend.backend() == "jax")
        optimizer.build(distiller.trainable_variables)
        return distiller

    def _variables(self, distiller: Distiller) -> Variables:
        """Returns all that a training goes on from."""
        teacher, adapters = self._training.teacher, self._training.adapters or {}
        return [
            *self._training.network.variables,
            *(variable for layer in adapters.values() for variable in layer.variables),
            *(teacher.variables if teacher and self._stage.teacher_mode == "trained" else []),
            *distiller.optimizer.variables,
        ]

    def _watchers(
        self, done: int, steps: int, variables: Variables, keeper: callbacks.KeepBest
    ) -> list[keras.callbacks.Callback]:
        training, stage = self._training, self._stage
        total = sum(stage.epochs for stage in training.stages)
        watchers = [
            callbacks.WeightProgress(),
            # What is gone back to has to be finite.
            callbacks.StopOnNonFinite(
                f"{training.name} with seed {training.seed}",
                variables if self._rollbacks.may_come else [],
            ),
            callbacks.History(stage.name, self._history, self._rollbacks.untold),
            callbacks.Report(
                training.name,
                stage.name,
                stage.epochs,
                done * steps,
                total * steps,
                training.recipe.batch_size,
            ),
        ]
        if training.recipe.keep == "best" and stage is training.stages[-1]:
            watchers.append(keeper)
        if training.log_dir is not None:
            watchers.append(
                keras.callbacks.TensorBoard(training.log_dir / stage.name, write_graph=False)
            )
        return watchers

    def _saving(self, variables: Variables, keeper: callbacks.KeepBest) -> Callable[[int], None]:
        """Returns what keeps the state after an epoch."""
        training = self._training
        states: list[State] = [self._rollbacks.state] if self._rollbacks.may_come else []
        if training.checkpoint and distribution.is_chief(training.recipe.distribution):
            states.append(training.checkpoint)

        def save(epochs: int) -> None:
            position = Position(self._number, epochs, self._history, keeper.best)
            for state in states:
                state.save(position, variables, keeper.weights)

        return save


@contextmanager
def _batches(
    order: tuple[Dataset, Recipe, int, int, bool],
    stage: Stage,
    teacher: keras.Model | None,
    outputs: TeacherOutputs | SharedTeacher | None,
) -> Iterator[TrainingBatches]:
    """Gives a stage's batches, with the teacher's outputs if these are had from elsewhere."""
    if outputs is None or teacher is None:
        yield TrainingBatches(*order)
        return
    dataset, recipe, *_ = order
    with outputs.of(teacher, stage, dataset, recipe) as source:
        yield TaughtBatches(source, *order) if source else TrainingBatches(*order)
