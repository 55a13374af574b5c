"""Export of a trained network: what is served, and what a later component loads."""

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf

from kd_trainer import warm_up
from kd_trainer.examples import IMAGE_SHAPE, decode_images
from kd_trainer.labels import CLASS_NAMES_FILE

KERAS_FILE = "model.keras"


def export(network: keras.Model, serving_dir: str, class_names: Sequence[str]) -> None:
    """Writes a SavedModel, and `model.keras` beside it.

    All signatures give `logits` and `probabilities`, float32 `(batch, classes)`, `label`, int64
    `(batch,)`, and `class_name`, string `(batch,)`:

    - `serving_default`: `examples`, serialized tf.Examples with the feature `image`, `(batch,)`;
    - `images`: `images`, uint8 `(batch, 32, 32, 3)`;
    - `encoded_images`: `encoded_images`, files of any size, `(batch,)`: PNG, JPEG, BMP or the
      first frame of a GIF, gray or coloured (what is transparent is not looked at), resized with
      antialiasing.

    The SavedModel needs TensorFlow alone and can be moved: the class names are its asset
    `assets/class_names.txt`. TensorFlow Serving warms it up with the requests that lie with it.
    It is complete or absent: it is written under another name and renamed.

    Args:
      network: the trained network, from uint8 images to logits.
      serving_dir: the SavedModel's directory.
      class_names: by class number.

    Raises:
      ValueError: there are not as many names as classes.
    """
    if len(class_names) != network.output_shape[-1]:
        raise ValueError(
            f"There are {len(class_names)} class names for {network.output_shape[-1]} classes."
        )
    target = Path(serving_dir)
    partial = target.with_name(f".{target.name}.partial")
    # A killed run's, and one's that ML Metadata has forgotten: the numbers of folders begin anew
    # when it is removed.
    for left in (partial, target):
        shutil.rmtree(left, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    network.save(target.parent / KERAS_FILE)
    with tempfile.TemporaryDirectory() as folder:
        vocabulary = Path(folder, CLASS_NAMES_FILE)
        vocabulary.write_text("".join(f"{name}\n" for name in class_names), encoding="utf-8")
        _archive(network, vocabulary).write_out(str(partial), verbose=False)
    warm_up.write(partial)
    partial.rename(target)


def load(model_dir: str) -> keras.Model:
    """Loads the network beside a SavedModel, as `export` wrote it.

    Args:
      model_dir: the directory that holds `model.keras`.
    """
    return keras.saving.load_model(Path(model_dir) / KERAS_FILE, compile=False, safe_mode=True)


class _ClassNames(tf.lookup.TextFileInitializer):
    """Fills a table from class number to name with the lines of a file."""

    def __init__(self, file: Path):
        line, text = tf.lookup.TextFileIndex.LINE_NUMBER, tf.lookup.TextFileIndex.WHOLE_LINE
        super().__init__(str(file), tf.int64, line, tf.string, text)
        self._digest = hashlib.sha256(file.read_bytes()).hexdigest()

    @property
    def _shared_name(self) -> str:
        # TensorFlow's own holds the path that the file has now, which no other machine knows. By
        # content: models of one process share a table by this name.
        return f"class_names_{self._digest}"


def _archive(network: keras.Model, vocabulary: Path) -> keras.export.ExportArchive:
    names = tf.lookup.StaticHashTable(_ClassNames(vocabulary), default_value="")

    image_spec = tf.TensorSpec([None, *IMAGE_SHAPE], tf.uint8, "images")

    @tf.function(input_signature=[image_spec])  # the signatures share it, traced once
    def predict(images: tf.Tensor) -> dict[str, tf.Tensor]:
        logits = tf.cast(network(images, training=False), tf.float32)
        label = tf.argmax(logits, axis=-1, output_type=tf.int64)
        return {
            "logits": logits,
            "probabilities": tf.nn.softmax(logits),
            "label": label,
            "class_name": names.lookup(label),
        }

    def predict_examples(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        features = {"image": tf.io.FixedLenFeature([], tf.string)}
        return predict(decode_images(tf.io.parse_example(examples, features)["image"]))

    def predict_encoded(encoded: tf.Tensor) -> dict[str, tf.Tensor]:
        output = tf.TensorSpec(IMAGE_SHAPE, tf.uint8)
        return predict(tf.map_fn(_decode, encoded, fn_output_signature=output))

    archive = keras.export.ExportArchive()
    archive.track(network)
    archive.track(names)
    for name, function, spec in [
        ("serving_default", predict_examples, tf.TensorSpec([None], tf.string, "examples")),
        ("images", lambda images: predict(images), image_spec),
        ("encoded_images", predict_encoded, tf.TensorSpec([None], tf.string, "encoded_images")),
    ]:
        archive.add_endpoint(name, function, [spec])
    return archive


def _decode(encoded: tf.Tensor) -> tf.Tensor:
    """Returns a file's image, uint8 `(32, 32, 3)`."""
    image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    image.set_shape([None, None, 3])  # decode_image does not say so itself
    resized = tf.image.resize(image, IMAGE_SHAPE[:2], antialias=True)
    return tf.cast(tf.round(resized), tf.uint8)
