"""Models as users save them: their own layer names, float input, a softmax at the end."""

from pathlib import Path

import keras
from keras import layers

TAPS = {"stage1": "conv_a", "stage2": "conv_b", "pooled": "average"}


def model(
    classes: int = 100,
    size: int = 32,
    width: int = 8,
    first: layers.Layer | None = None,
    activation: str | None = "softmax",
) -> keras.Model:
    """A small functional model; `first` is what the images go through before all else."""
    inputs = keras.Input((size, size, 3))
    x = (first or layers.Rescaling(1 / 255))(inputs)
    for letter in "ab":
        x = layers.Conv2D(width, 3, 2, "same", activation="relu", name=f"conv_{letter}")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    outputs = layers.Dense(classes, activation=activation, name="predictions")(x)
    return keras.Model(inputs, outputs)


def saved(network: keras.Model, folder: Path, name: str = "mine") -> Path:
    file = folder / f"{name}.keras"
    network.save(file)
    return file
