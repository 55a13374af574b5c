"""One pass of a teacher for all students that train on the same batches.

Students of one seed see the same batch at the same step. Each trains in a thread of its own as it
would alone, and asks for what the teacher says of its next batch; the first that asks has it
computed, the others are given the same. Nobody runs further ahead than a few batches, which are
all that is kept: who goes on from a later epoch than others waits for them.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import keras
import numpy as np

from kd_trainer.data import Dataset
from kd_trainer.fused import fused
from kd_trainer.methods.base import Stage
from kd_trainer.recipe import Recipe
from kd_trainer.teacher import inferring

Outputs = Mapping[str, np.ndarray]
_AHEAD = 4  # batches; Keras looks at two before an epoch


def can_be_shared(stages: Iterable[Stage]) -> bool:
    """Returns whether the teacher says the same to a training as to others.

    It does not where it is trained, has the batch's statistics, or is derived.

    Args:
      stages: the training's.
    """
    taught = [stage for stage in stages if stage.teacher_taps]
    return bool(taught) and all(
        stage.teacher_mode == "inference" and not stage.jacobians for stage in taught
    )


class Classroom:
    """A teacher and those that it teaches.

    Args:
      teacher: the teacher.
      taps: all that any of them reads of it.
      students: their names.

    Attributes:
      passes: how many batches the teacher has seen.
    """

    def __init__(self, teacher: keras.Model, taps: Iterable[str], students: Iterable[str]):
        self._teacher = fused(inferring(teacher, taps))
        self._changed = threading.Condition()
        # The step that each has come to, and what was said of the last ones.
        self._at = dict.fromkeys(students, 0)
        self._said: dict[int, Outputs] = {}
        self._closed = False
        self.passes = 0

    def enter(self, student: str) -> None:
        """Waits for a student from now on.

        Raises:
          RuntimeError: the classroom is closed, and the student has left.
        """
        with self._changed:
            if self._closed:
                raise RuntimeError(f"{student} has left.")
            self._at.setdefault(student, 0)

    def leave(self, student: str) -> None:
        """No longer waits for a student."""
        with self._changed:
            self._at.pop(student, None)
            self._changed.notify_all()

    def close(self) -> None:
        """Has all students leave: each is told when it asks next, or enters."""
        with self._changed:
            self._closed = True
            self._at.clear()
            self._changed.notify_all()

    def ask(self, student: str, step: int, images: np.ndarray) -> Outputs:
        """Returns what the teacher says of a batch.

        Args:
          student: who asks.
          step: the batch's number; the same for all.
          images: uint8 `(batch, height, width, channels)`.

        Raises:
          RuntimeError: the student has left.
        """
        with self._changed:
            self._move(student, step)
            while step not in self._said and step > min(self._at.values()) + _AHEAD:
                self._changed.wait()
                # Its training may have ended while what fetches its batches waited here.
                self._move(student, step)
            if step not in self._said:
                found = self._teacher.predict_on_batch(images)
                self._said[step] = {tap: np.asarray(out, "float32") for tap, out in found.items()}
                self.passes += 1
            return self._said[step]

    def _move(self, student: str, step: int) -> None:
        if student not in self._at:
            raise RuntimeError(f"{student} has left.")
        if step > self._at[student]:
            self._at[student] = step
            oldest = min(self._at.values()) - _AHEAD
            self._said = {number: said for number, said in self._said.items() if number >= oldest}
            self._changed.notify_all()


class SharedTeacher:
    """A student's place in the classroom, as `kd_trainer.training.train` takes it."""

    def __init__(self, classroom: Classroom, student: str):
        self._classroom, self._student = classroom, student
        self._taps: tuple[str, ...] = ()

    @contextmanager
    def of(
        self, teacher: keras.Model, stage: Stage, dataset: Dataset, recipe: Recipe
    ) -> Iterator["SharedTeacher | None"]:
        """Gives the place to a stage; None to one that reads nothing of the teacher."""
        self._taps = tuple(stage.teacher_taps)
        if self._taps:
            self._classroom.enter(self._student)
            yield self
        else:
            self._classroom.leave(self._student)
            yield None

    def outputs(
        self, images: np.ndarray, chosen: np.ndarray, views: np.ndarray, step: int
    ) -> Outputs:
        """Returns what the teacher says of a batch, as `taught_batches.Source`."""
        said = self._classroom.ask(self._student, step, images)
        return {tap: said[tap] for tap in self._taps}

    def commit(self) -> None:
        """Nothing is kept."""
