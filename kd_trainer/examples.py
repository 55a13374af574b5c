"""Reads what ExampleGen wrote: TFRecords of tf.Example, and the schema's label domain."""

from collections.abc import Iterable

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from kd_trainer.data import Dataset
from kd_trainer.errors import DataError

IMAGE_SHAPE = (32, 32, 3)
_FEATURES = {
    "image": tf.io.FixedLenFeature([], tf.string),
    "label": tf.io.FixedLenFeature([], tf.int64),
    "coarse_label": tf.io.FixedLenFeature([], tf.int64),
    "id": tf.io.FixedLenFeature([], tf.string),
}


def decode_images(raw: tf.Tensor) -> tf.Tensor:
    """Returns uint8 images `(batch, 32, 32, 3)` of a batch of raw row-major bytes."""
    return tf.reshape(tf.io.decode_raw(raw, tf.uint8), (-1, *IMAGE_SHAPE))


def load(patterns: Iterable[str]) -> Dataset:
    """Reads a split into memory, in the order of its ids, whatever order the files have.

    Args:
      patterns: glob patterns of the split's files.

    Raises:
      DataError: there is no file or no record.
    """
    columns = _read(patterns, "image", "label")
    return Dataset(decode_images(columns["image"]).numpy(), columns["label"])


def load_coarse_labels(patterns: Iterable[str]) -> np.ndarray:
    """Reads the superclasses of a split, int64 `(n,)`, in the same order as `load`.

    Args:
      patterns: glob patterns of the split's files.

    Raises:
      DataError: there is no file or no record.
    """
    return _read(patterns, "coarse_label")["coarse_label"]


def _read(patterns: Iterable[str], *names: str) -> dict[str, np.ndarray]:
    """Reads features of a split, in the order of its ids."""
    patterns = list(patterns)
    files = [file for pattern in patterns for file in tf.io.gfile.glob(pattern)]
    features = {name: _FEATURES[name] for name in (*names, "id")}
    batches = [
        {name: column.numpy() for name, column in tf.io.parse_example(batch, features).items()}
        for batch in tf.data.TFRecordDataset(files).batch(1000)
    ]
    if not batches:
        raise DataError(
            f"No example was found at {', '.join(patterns)}. The split is empty: give more data "
            "or another data.eval_fraction."
        )
    columns = {name: np.concatenate([batch[name] for batch in batches]) for name in features}
    order = np.argsort(columns["id"], kind="stable")
    return {name: columns[name][order] for name in names}


def num_classes(schema_file: str) -> int:
    """Returns the size of the label's domain, `0..max`, in a schema file.

    Raises:
      DataError: it is no schema, or gives the feature `label` no domain that starts at 0.
    """
    try:
        with tf.io.gfile.GFile(schema_file) as file:
            schema = text_format.Parse(file.read(), schema_pb2.Schema())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise DataError(
            f"The schema {schema_file} cannot be read: {error}. Expected a "
            "tensorflow_metadata.v0.Schema as text, such as schemas/cifar100.pbtxt."
        ) from None
    for feature in schema.feature:
        if feature.name == "label" and feature.int_domain.max > feature.int_domain.min == 0:
            return feature.int_domain.max + 1
    raise DataError(
        f"The schema {schema_file} gives the feature 'label' no int_domain of 0 to the last class; "
        "the number of classes is read there. Add `int_domain { min: 0 max: 99 }`."
    )
