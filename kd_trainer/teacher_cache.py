"""What a teacher says of the images, kept from one training to the next.

In inference mode a teacher says the same of the same picture. The augmentation knows so many views
of an image (162, with four pixels of padding and mirroring), and a training that has seen one keeps
the teacher's outputs of it. Another training with this teacher and this data computes what is new
to it alone: with the same seed nothing, with another one less and less.
"""

import time
from collections.abc import Mapping

import keras
import numpy as np

from kd_trainer.checkpoint import digest
from kd_trainer.data import Dataset
from kd_trainer.kept_rows import KeptRows
from kd_trainer.methods.base import Stage
from kd_trainer.networks.taps import tap_shapes
from kd_trainer.recipe import Recipe


def can_be_kept(stage: Stage, teacher: keras.Model) -> bool:
    """Returns whether what a stage reads of a teacher is the same each time, and small.

    Vectors are small, such as the logits; feature maps of all views would be terabytes.

    Args:
      stage: what is minimised.
      teacher: the teacher.
    """
    if not stage.teacher_taps or stage.teacher_mode != "inference" or stage.jacobians:
        return False
    shapes = tap_shapes(teacher)
    return all(len(shapes[tap]) == 1 for tap in stage.teacher_taps)


def subject(teacher: keras.Model, dataset: Dataset, recipe: Recipe) -> str:
    """Returns the key of a teacher's outputs: a hash of all that they depend on."""
    return digest(
        sorted(teacher.output_names),
        dataset.images,
        recipe.crop_padding,
        recipe.pad_mode,
        recipe.flip,
        recipe.precision,
        *teacher.get_weights(),
    )[:16]


class TeacherCache:
    """A teacher's outputs by image and view.

    Args:
      rows: where they are kept.
      teacher: from uint8 images to `{tap: (batch, width)}` in inference mode.
      views: how many there are of an image.
    """

    def __init__(self, rows: KeptRows, teacher: keras.Model, views: int):
        self._rows, self._teacher, self._views = rows, teacher, views
        widths = [output.shape[-1] for output in teacher.outputs]
        self._taps = dict(
            zip(
                teacher.output_names,
                np.split(np.arange(sum(widths)), np.cumsum(widths)[:-1]),
                strict=True,
            )
        )
        self.asked, self.found, self.seconds = 0, 0, 0.0

    def outputs(
        self, images: np.ndarray, chosen: np.ndarray, views: np.ndarray, step: int
    ) -> Mapping[str, np.ndarray]:
        """Returns what the teacher says of a batch, float32 `(batch, width)` a tap.

        Args:
          images: uint8, the views themselves.
          chosen: each image's number in the data.
          views: each image's view.
          step: not looked at: a view is the same whenever it comes.
        """
        numbers = chosen * self._views + views
        there = self._rows.has(numbers)
        self.asked += len(numbers)
        self.found += int(self._rows.had(numbers).sum())
        rows = np.empty((len(numbers), sum(map(len, self._taps.values()))), "float32")
        rows[there] = self._rows[numbers[there]]
        if not there.all():
            rows[~there] = self._computed(images[~there])
            self._rows.add(numbers[~there], rows[~there])
        return {tap: rows[:, columns] for tap, columns in self._taps.items()}

    def commit(self) -> None:
        """Has what is new outlive this process."""
        self._rows.commit()

    def _computed(self, images: np.ndarray) -> np.ndarray:
        start = time.perf_counter()
        found = self._teacher.predict_on_batch(images)
        self.seconds += time.perf_counter() - start
        return np.concatenate([np.asarray(found[tap]) for tap in self._taps], axis=1)
