"""Examples whose images carry their number, and SavedModels that answer from a table by it.

What a network says of each image is then ours to choose, while all that reads examples and models
is real.
"""

from itertools import count
from pathlib import Path

import numpy as np
import tensorflow as tf
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import path_utils

CLASSES = 100


def ranked(labels, ranks):
    """Returns probabilities `(n, classes)`, all different, that have each label at its rank."""
    weights = 1 / np.arange(1, CLASSES + 1) ** 2
    rows = np.empty((len(labels), CLASSES), "float32")
    for row, label, rank in zip(rows, labels, ranks, strict=True):
        others = (label + np.arange(1, CLASSES)) % CLASSES
        row[np.insert(others, rank, label)] = weights / weights.sum()
    return rows


class Table(tf.Module):
    """Gives each image the row of its number; has 15 trainable parameters and 7 others."""

    def __init__(self, probabilities):
        super().__init__()
        self.table = tf.constant(probabilities, tf.float32)
        self.weight = tf.Variable(tf.zeros([3, 5]))
        self.moving_mean = tf.Variable(tf.zeros([7]), trainable=False)

    @tf.function(input_signature=[tf.TensorSpec([None, 32, 32, 3], tf.uint8, name="images")])
    def images(self, images):
        pixel = tf.cast(images[:, 0, 0, :], tf.int32)
        rows = tf.gather(self.table, pixel[:, 0] * 256 + pixel[:, 1])
        rows += tf.reduce_sum(self.weight) + tf.reduce_sum(self.moving_mean)
        return {"probabilities": rows, "label": tf.argmax(rows, axis=-1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serving_default(self, examples):
        features = {"image": tf.io.FixedLenFeature([], tf.string)}
        raw = tf.io.parse_example(examples, features)["image"]
        return self.images(tf.reshape(tf.io.decode_raw(raw, tf.uint8), (-1, 32, 32, 3)))


def model(folder: Path, probabilities) -> standard_artifacts.Model:
    """Writes a model artifact that answers with a row for each image's number."""
    artifact = standard_artifacts.Model()
    artifact.uri = str(folder)
    table = Table(probabilities)
    tf.saved_model.save(
        table,
        path_utils.serving_model_dir(str(folder)),
        signatures={"serving_default": table.serving_default, "images": table.images},
    )
    return artifact


def examples(folder: Path, labels, coarse_labels) -> standard_artifacts.Examples:
    """Writes an examples artifact with the one split `test`; image i carries the number i.

    The file's order is not that of the ids.
    """
    artifact = standard_artifacts.Examples()
    artifact.uri = str(folder)
    artifact.split_names = artifact_utils.encode_split_names(["test"])
    artifact.set_string_custom_property("payload_format", "FORMAT_TF_EXAMPLE")
    split = folder / "Split-test"
    split.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(split / "test.tfrecord")) as writer:
        for number, label, coarse in reversed(list(zip(count(), labels, coarse_labels))):
            image = np.zeros((32, 32, 3), "uint8")
            image[0, 0, :2] = divmod(number, 256)
            feature = {
                "image": _bytes(image.tobytes()),
                "label": _integer(label),
                "coarse_label": _integer(coarse),
                "id": _bytes(f"test-{number:05}".encode()),
            }
            writer.write(
                tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
            )
    return artifact


def _bytes(value):
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))


def _integer(value):
    return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
