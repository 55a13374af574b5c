"""One pass of a teacher for all students that train on the same batches.

Students of one seed see the same batches. Each trains in a thread of its own as it would alone,
and asks for what the teacher says of its next batch; the first that asks has it computed, the
others are given the same. Nobody runs further ahead than a few batches, which are all that is
kept.
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
        # How many batches each has come to, and what was said of the last ones.
        self._at = dict.fromkeys(students, 0)
        self._said: dict[bytes, tuple[int, Outputs]] = {}
        self.passes = 0

    def leave(self, student: str) -> None:
        """No longer waits for a student."""
        with self._changed:
            self._at.pop(student, None)
            self._changed.notify_all()

    def ask(self, student: str, batch: bytes, images: np.ndarray) -> Outputs:
        """Returns what the teacher says of a batch.

        Args:
          student: who asks.
          batch: which it is.
          images: uint8 `(batch, height, width, channels)`.
        """
        with self._changed:
            while batch not in self._said and not self._may_go_on():
                self._changed.wait()
            if batch not in self._said:
                found = self._teacher.predict_on_batch(images)
                outputs = {tap: np.asarray(output, "float32") for tap, output in found.items()}
                self._said[batch] = self.passes, outputs
                self.passes += 1
            number, said = self._said[batch]
            self._at[student] = max(self._at[student], number + 1)
            self._forget()
            self._changed.notify_all()
            return said

    def _may_go_on(self) -> bool:
        return self.passes <= min(self._at.values()) + _AHEAD

    def _forget(self) -> None:
        oldest = min(self._at.values()) - _AHEAD
        for batch in [b for b, (number, _) in self._said.items() if number < oldest]:
            del self._said[batch]


class SharedTeacher:
    """A student's place in the classroom, as `kd_trainer.training.train` takes it."""

    def __init__(self, classroom: Classroom, student: str):
        self._classroom, self._student = classroom, student

    @contextmanager
    def of(
        self, teacher: keras.Model, stage: Stage, dataset: Dataset, recipe: Recipe
    ) -> Iterator["SharedTeacher | None"]:
        """Gives the place to a stage; None to one that reads nothing of the teacher."""
        if stage.teacher_taps:
            yield self
        else:
            self._classroom.leave(self._student)
            yield None

    def outputs(self, images: np.ndarray, chosen: np.ndarray, views: np.ndarray) -> Outputs:
        """Returns what the teacher says of a batch, as `taught_batches.Source`."""
        return self._classroom.ask(self._student, chosen.tobytes() + views.tobytes(), images)

    def commit(self) -> None:
        """Nothing is kept."""
