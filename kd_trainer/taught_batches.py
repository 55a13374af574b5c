"""Batches that bring the teacher's outputs along."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from kd_trainer.data import TrainingBatches


class Source(Protocol):
    """Who has a teacher's outputs."""

    def outputs(
        self, images: np.ndarray, chosen: np.ndarray, views: np.ndarray, step: int
    ) -> Mapping[str, np.ndarray]:
        """Returns what the teacher says of a batch, float32, by tap.

        Args:
          images: uint8, the views themselves.
          chosen: each image's number in the data.
          views: each image's view.
          step: the batch's number, from the training's first one on.
        """

    def commit(self) -> None:
        """Has what is new outlive this process, where anything is kept."""


class TaughtBatches(TrainingBatches):
    """Batches whose targets hold the teacher's outputs, as `{"teacher": {tap: outputs}}`."""

    taught = True

    def __init__(self, source: Source, *arguments: Any, **options: Any):
        super().__init__(*arguments, **options)
        self._source = source

    def targets(self, images: np.ndarray, chosen: np.ndarray, views: np.ndarray, step: int) -> Any:
        """Returns labels, indices if asked for, and the teacher's outputs."""
        targets = super().targets(images, chosen, views, step)
        targets = targets if isinstance(targets, dict) else {"label": targets}
        return {**targets, "teacher": self._source.outputs(images, chosen, views, step)}

    def on_epoch_end(self) -> None:
        """Commits what is new; Keras calls it after each epoch."""
        self._source.commit()
