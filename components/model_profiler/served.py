"""Networks as they are served."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np

_BATCH = 250


Predict: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""A network: uint8 images `(n, 32, 32, 3)` to float32 probabilities `(n, classes)`."""


@dataclass(frozen=True)
class Served:
    """A network that answers.

    Attributes:
      predict: the network.
      parameters: number of trainable ones; None where the format does not tell.
      bytes: of all its files.
    """

    predict: Predict
    parameters: int | None
    bytes: int


def saved_model(directory: str) -> Served:
    """Loads a SavedModel, to be called through its signature `images` on the CPU."""
    import tensorflow as tf

    cpu = "/CPU:0"  # where a GPU is too, variables and calls must both stay off it
    with tf.device(cpu):
        model = tf.saved_model.load(directory)
    # Of the variables, those that it reads are the network; a champion has no model.keras.
    signature = model.signatures["images"]

    def predict(images: np.ndarray) -> np.ndarray:
        with tf.device(cpu):
            return signature(images=tf.constant(images))["probabilities"].numpy()

    return Served(
        predict,
        parameters=sum(int(np.prod(v.shape)) for v in signature.trainable_variables),
        bytes=sum(file.stat().st_size for file in Path(directory).rglob("*") if file.is_file()),
    )


def tflite(file: Path) -> Served:
    """Opens a TFLite model."""
    from kd_trainer import lite

    return Served(lite.load(str(file)), parameters=None, bytes=file.stat().st_size)


def probabilities(name: str, network: Served, images: np.ndarray) -> np.ndarray:
    """Returns the network's probabilities, float32 `(n, classes)`.

    Args:
      name: what the network is called in the error.
      network: the network.
      images: uint8 `(n, 32, 32, 3)`.

    Raises:
      FloatingPointError: one of them is not finite, so that nothing computed of them would mean
        anything.
    """
    batches = range(0, len(images), _BATCH)
    found = np.concatenate([network.predict(images[at : at + _BATCH]) for at in batches])
    if not np.isfinite(found).all():
        count = int((~np.isfinite(found)).any(axis=1).sum())
        raise FloatingPointError(
            f"the network {name!r} answers {count} of {len(images)} test images with probabilities "
            "that are not finite."
        )
    return found.astype(np.float32)
