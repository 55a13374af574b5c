"""What a teacher says of the images, kept from one training to the next.

In inference mode a teacher says the same of the same picture. The augmentation knows so many views
of an image (162, with four pixels of padding and mirroring), and a training that has seen one keeps
the teacher's outputs of it. Another training with this teacher and this data computes what is new
to it alone: with the same seed nothing, with another one less and less.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kd_trainer.checkpoint import digest
from kd_trainer.data import Dataset, TrainingBatches, view_count
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


class TeacherCache:
    """Outputs by image and view, in files that grow as they are filled.

    A killed training leaves what it has written; what is marked as there is there.

    Args:
      directory: is made; other teachers, data and augmentations may share it.
      teacher: from uint8 images to `{tap: (batch, width)}` in inference mode.
      dataset: what is trained on.
      recipe: gives the views.
    """

    def __init__(self, directory: Path, teacher: keras.Model, dataset: Dataset, recipe: Recipe):
        self._teacher = teacher
        self.views = view_count(recipe)
        subject = digest(
            sorted(teacher.output_names),
            dataset.images,
            recipe.crop_padding,
            recipe.pad_mode,
            recipe.flip,
            recipe.precision,
            *teacher.get_weights(),
        )
        folder = directory / subject[:16]
        folder.mkdir(parents=True, exist_ok=True)
        rows = len(dataset) * self.views
        self._there = _mapped(folder / "there", "uint8", (rows,))
        self._kept = {
            tap: _mapped(folder / tap, "float32", (rows, output.shape[-1]))
            for tap, output in zip(teacher.output_names, teacher.outputs, strict=True)
        }

    def outputs(
        self, images: np.ndarray, chosen: np.ndarray, views: np.ndarray
    ) -> Mapping[str, np.ndarray]:
        """Returns what the teacher says of a batch, float32 `(batch, width)` a tap.

        Args:
          images: uint8, the views themselves.
          chosen: each image's number in the data.
          views: each image's view.
        """
        rows = chosen * self.views + views
        if not self._there[rows].all():
            found = self._teacher.predict_on_batch(images)
            for tap, kept in self._kept.items():
                kept[rows] = np.asarray(found[tap], "float32")
            self._there[rows] = 1
        return {tap: kept[rows] for tap, kept in self._kept.items()}


def _mapped(file: Path, kind: str, shape: tuple[int, ...]) -> np.ndarray:
    """Maps a file of zeros, of which the disk holds what was written."""
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    if not file.exists() or file.stat().st_size != size:
        with open(file, "wb") as made:
            made.truncate(size)
    return np.memmap(file, kind, "r+", shape=shape)


class TaughtBatches(TrainingBatches):
    """Batches that bring the teacher's outputs along, as `{"teacher": {tap: outputs}}`."""

    def __init__(self, cache: TeacherCache, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self._cache = cache

    def targets(self, images: np.ndarray, chosen: np.ndarray, views: np.ndarray) -> Any:
        """Returns labels, indices if asked for, and the teacher's outputs."""
        targets = super().targets(images, chosen, views)
        targets = targets if isinstance(targets, dict) else {"label": targets}
        return {**targets, "teacher": self._cache.outputs(images, chosen, views)}
