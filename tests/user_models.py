"""Models as users save them: their own layer names, float input, a softmax at the end."""

from pathlib import Path

import keras
from keras import layers

from components.cifar100_example_gen.reader import load
from components.cifar100_example_gen.sample import SAMPLE

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


def trained_teacher(folder: Path, seed: int = 0) -> Path:
    """A teacher that knows the sample's classes better than one who guesses."""
    records = load(str(SAMPLE))[1]["train"][:1500]
    keras.utils.set_random_seed(seed)
    network = model(width=16)
    network.compile(keras.optimizers.Adam(5e-3), "sparse_categorical_crossentropy")
    network.fit(records.images, records.labels, batch_size=50, epochs=4, verbose=0)
    return saved(network, folder, "teacher")
