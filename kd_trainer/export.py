"""Export of a trained network: what is served, and what a later component loads."""

from pathlib import Path

import keras
import tensorflow as tf

from kd_trainer.examples import IMAGE_SHAPE, decode_images

KERAS_FILE = "model.keras"


def export(network: keras.Model, serving_dir: str) -> None:
    """Writes a SavedModel, and `model.keras` beside it.

    Both signatures give `logits` and `probabilities`, float32 `(batch, classes)`, and `label`,
    int64 `(batch,)`:

    - `serving_default`: `examples`, serialized tf.Examples with the feature `image`, `(batch,)`;
    - `images`: `images`, uint8 `(batch, 32, 32, 3)`.

    The SavedModel needs TensorFlow alone. It is complete or absent: it is written under another
    name and renamed.

    Args:
      network: the trained network, from uint8 images to logits.
      serving_dir: the SavedModel's directory.
    """

    def predict(images: tf.Tensor) -> dict[str, tf.Tensor]:
        logits = tf.cast(network(images, training=False), tf.float32)
        return {
            "logits": logits,
            "probabilities": tf.nn.softmax(logits),
            "label": tf.argmax(logits, axis=-1, output_type=tf.int64),
        }

    def predict_examples(examples: tf.Tensor) -> dict[str, tf.Tensor]:
        features = {"image": tf.io.FixedLenFeature([], tf.string)}
        return predict(decode_images(tf.io.parse_example(examples, features)["image"]))

    target = Path(serving_dir)
    target.parent.mkdir(parents=True, exist_ok=True)
    network.save(target.parent / KERAS_FILE)
    archive = keras.export.ExportArchive()
    archive.track(network)
    archive.add_endpoint(
        "serving_default", predict_examples, [tf.TensorSpec([None], tf.string, name="examples")]
    )
    archive.add_endpoint(
        "images", predict, [tf.TensorSpec([None, *IMAGE_SHAPE], tf.uint8, name="images")]
    )
    partial = target.with_name(f".{target.name}.partial")
    archive.write_out(str(partial), verbose=False)
    partial.rename(target)


def load(model_dir: str) -> keras.Model:
    """Loads the network beside a SavedModel, as `export` wrote it.

    Args:
      model_dir: the directory that holds `model.keras`.
    """
    return keras.saving.load_model(Path(model_dir) / KERAS_FILE, compile=False, safe_mode=True)
