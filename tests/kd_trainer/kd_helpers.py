"""Real images and networks that are small enough to train in a test."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from components.cifar100_example_gen.reader import load
from components.cifar100_example_gen.sample import SAMPLE
from kd_trainer.data import Dataset

TINY_CLASSES = 5
TINY_SIZE = 8


@cache
def _official():
    return load(str(SAMPLE))[1]


def sample(split: str, count: int) -> Dataset:
    """The first images of the sample shipped with the repository."""
    records = _official()[split][:count]
    return Dataset(records.images, records.labels)


def tiny(
    num_classes: int = TINY_CLASSES,
    name: str = "tiny",
    width: int = 4,
    first: layers.Layer | None = None,
    size: int = TINY_SIZE,
    stages: int = 1,
    activation: Callable[..., layers.Layer] = layers.ReLU,
) -> keras.Model:
    """A network with the taps stem, stage1 (and on), pooled and logits, from 8x8 images.

    `first` is what the images go through before all else.
    """

    def block(x, width, stride, tap):
        x = layers.Conv2D(width, 3, stride, "same", use_bias=False, name=f"{tap}_block_conv")(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"{tap}_preact")(x)
        return activation(name=tap)(x)

    inputs = keras.Input((size, size, 3), dtype="uint8", name="images")
    x = inputs if first is None else first(inputs)
    x = layers.Rescaling(1 / 64, -2.0, name="stem_block_normalisation")(x)
    x = block(x, width, 1, "stem")
    for stage in range(1, stages + 1):
        x = block(x, 2 * width, 2, f"stage{stage}")
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    return keras.Model(inputs, layers.Dense(num_classes, name="logits")(x), name=name)


def sharpen(network: keras.Model) -> keras.Model:
    """Makes an untrained network's predictions differ: from all alike, a KL is but rounding."""
    logits = network.get_layer("logits")
    logits.set_weights([20 * weight for weight in logits.get_weights()])
    return network


def tiny_data(count: int, seed: int = 0) -> Dataset:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, TINY_SIZE, TINY_SIZE, 3), dtype=np.uint8)
    return Dataset(images, rng.integers(0, TINY_CLASSES, count))


def snapshot(network: keras.Model) -> dict[str, np.ndarray]:
    """Copies of a network's variables, moving statistics included, by their path."""
    return {weight.path: np.array(weight) for weight in network.weights}


def changed(network: keras.Model, before: dict[str, np.ndarray]) -> set[str]:
    """The paths of the variables that are not what they were, to the bit."""
    return {
        path
        for path, value in snapshot(network).items()
        if value.tobytes() != before[path].tobytes()
    }


def close(row: dict[str, Any], **tolerance: float) -> dict[str, Any]:
    """A history's row, to be compared with another: its numbers to a tolerance, its words not."""
    return {
        key: value if isinstance(value, str) else pytest.approx(value, **tolerance)
        for key, value in row.items()
    }


def write_examples(path: Path, dataset: Dataset, ids: list[str]) -> None:
    import tensorflow as tf  # not there where the tests run on JAX

    with tf.io.TFRecordWriter(str(path)) as writer:
        for image, label, identity in zip(dataset.images, dataset.labels, ids, strict=True):
            writer.write(serialised(image, int(label), identity))


def serialised(image: np.ndarray, label: int, identity: str) -> bytes:
    import tensorflow as tf

    example = tf.train.Example()
    feature = example.features.feature
    feature["image"].bytes_list.value.append(image.tobytes())
    feature["label"].int64_list.value.append(label)
    feature["id"].bytes_list.value.append(identity.encode())
    return example.SerializeToString()
