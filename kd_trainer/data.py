"""Images in memory, as augmented batches.

CIFAR-100 fits into memory, and strided windows on uint8 arrays cost a tenth of what a per-image
`tf.data` pipeline does; nothing here knows a backend.
"""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from kd_trainer.errors import DataError
from kd_trainer.recipe import Recipe


@dataclass(frozen=True)
class Dataset:
    """Images `(n, 32, 32, 3)` uint8 and labels `(n,)` int64."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """All that it holds."""
        return self.images, self.labels


def view_count(recipe: Recipe) -> int:
    """Returns how many views of an image the augmentation knows."""
    return (2 * recipe.crop_padding + 1) ** 2 * (2 if recipe.flip else 1)


def drawn_views(count: int, recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
    """Returns a view for each of some images, int64 `(count,)`, below `view_count`.

    Args:
      count: of the images.
      recipe: gives `crop_padding` and `flip`.
      rng: the random state.
    """
    offsets = 2 * recipe.crop_padding + 1
    top, left = rng.integers(0, offsets, (2, count))
    views = top * offsets + left
    return 2 * views + (rng.random(count) < 0.5) if recipe.flip else views


def augment(images: np.ndarray, views: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Pads, crops at an offset of each image's own and mirrors some, as their views say.

    Args:
      images: uint8 `(batch, height, width, channels)`.
      views: int64 `(batch,)`, as `drawn_views` gives them.
      recipe: gives `crop_padding`, `pad_mode` and `flip`.

    Returns:
      A new array of the same shape.
    """
    batch, height, width, _ = images.shape
    pad = recipe.crop_padding
    padded = np.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode=recipe.pad_mode)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))  # type: ignore[call-overload]
    places, mirrored = np.divmod(views, 2) if recipe.flip else (views, np.zeros(batch, int))
    top, left = np.divmod(places, 2 * pad + 1)
    # windows: (batch, offsets, offsets, channels, height, width)
    cropped = windows[np.arange(batch), top, left].transpose(0, 2, 3, 1)
    return np.where(mirrored[:, None, None, None] == 1, cropped[:, :, ::-1], cropped)


class TrainingBatches(keras.utils.PyDataset):
    """Shuffled, augmented batches; each epoch is a function of the seed and its number alone.

    The last, smaller batch is left out: BatchNorm wants batches of one size, and the shuffle
    gives every image its turn.

    Args:
      dataset: what is drawn from.
      recipe: batch size and augmentation.
      seed: of order and augmentation.
      first_epoch: the number of the first epoch.
      with_indices: whether labels come as `{"label": ..., "index": ...}`, with each image's
        position in the data.

    Attributes:
      dataset: what is drawn from.
      taught: whether they bring the teacher's outputs along.

    Raises:
      DataError: the batch is larger than the data.
    """

    taught = False

    def __init__(
        self,
        dataset: Dataset,
        recipe: Recipe,
        seed: int,
        first_epoch: int = 0,
        with_indices: bool = False,
    ):
        super().__init__()
        if recipe.batch_size > len(dataset):
            raise DataError(
                f"The batch of {recipe.batch_size} images is larger than the training split of "
                f"{len(dataset)}. Lower recipe.batch_size or give more data."
            )
        self.batch_size = recipe.batch_size
        self.dataset, self._recipe, self._seed = dataset, recipe, seed
        self._next_epoch, self._with_indices = first_epoch, with_indices
        self._start_epoch()

    def on_epoch_begin(self) -> None:
        """Moves on to the next epoch's order; Keras calls it before each epoch."""
        self._start_epoch()
        self._next_epoch += 1

    def _start_epoch(self) -> None:
        self._epoch = self._next_epoch
        self._order = np.random.default_rng([self._seed, self._epoch]).permutation(
            len(self.dataset)
        )

    def __len__(self) -> int:
        return len(self.dataset) // self.batch_size

    def drawn(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns which images a batch of the epoch holds, and the view of each."""
        size = self.batch_size
        chosen = self._order[index * size : (index + 1) * size]
        rng = np.random.default_rng([self._seed, self._epoch, index])
        return chosen, drawn_views(size, self._recipe, rng)

    def __getitem__(self, index: int) -> tuple[np.ndarray, Any]:
        chosen, views = self.drawn(index)
        images = augment(self.dataset.images[chosen], views, self._recipe)
        return images, self.targets(images, chosen, views, self._epoch * len(self) + index)

    def targets(self, images: np.ndarray, chosen: np.ndarray, views: np.ndarray, step: int) -> Any:
        """Returns what goes with a batch's images: the labels, and the indices if asked for."""
        labels = self.dataset.labels[chosen]
        return {"label": labels, "index": chosen} if self._with_indices else labels
