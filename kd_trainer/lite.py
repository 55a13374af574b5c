"""LiteRT (TFLite) models: a trained network in one small file, for phones and other devices.

Each takes `images`, uint8 `(batch, 32, 32, 3)`, raw pixels as the SavedModel takes them, and gives
`probabilities`, float32 `(batch, classes)`.
"""

import re
import tempfile
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from kd_trainer.errors import ConfigError
from kd_trainer.examples import IMAGE_SHAPE

CALIBRATION_IMAGES = 500


def convert_float32(network: keras.Model) -> bytes:
    """Converts a network as it is.

    Args:
      network: from uint8 images to logits.

    Returns:
      The file's content; the same for the same network.

    Raises:
      ConfigError: the network holds what TFLite has no operation for.
    """
    with tempfile.TemporaryDirectory() as folder:
        return _converted(lambda: _converter(network, folder).convert())


def convert_int8(network: keras.Model, images: np.ndarray) -> bytes:
    """Converts a network to integers of eight bits, weights and activations.

    The softmax alone stays float32: as integers probabilities have steps of 1/256, which tell most
    of many classes not from none.

    Args:
      network: from uint8 images to logits.
      images: uint8 `(n, 32, 32, 3)`; `CALIBRATION_IMAGES` of them, evenly spread, say what range
        each activation has.

    Returns:
      The file's content; the same for the same network and images.

    Raises:
      ConfigError: as `convert_float32`.
    """
    chosen = images[:: -(-len(images) // CALIBRATION_IMAGES)]

    def convert() -> bytes:
        converter = _converter(network, folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[None]] for image in chosen)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        # TensorFlow's way to leave an operation out of the quantisation.
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter,
            debug_dataset=converter.representative_dataset,
            debug_options=tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=["SOFTMAX"]),
        )
        return debugger.get_nondebug_quantized_model()

    with tempfile.TemporaryDirectory() as folder:
        return _converted(convert)


def load(path: str) -> Callable[[np.ndarray], np.ndarray]:
    """Opens a file that a function above wrote.

    Args:
      path: the file.

    Returns:
      A function from images, uint8 `(n, 32, 32, 3)`, to probabilities, float32 `(n, classes)`.
    """
    interpreter = tf.lite.Interpreter(model_path=path)
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    allocated: tuple[int, ...] = ()

    def predict(images: np.ndarray) -> np.ndarray:
        nonlocal allocated
        if images.shape != allocated:
            interpreter.resize_tensor_input(given["index"], images.shape)
            interpreter.allocate_tensors()
            allocated = images.shape
        interpreter.set_tensor(given["index"], images)
        interpreter.invoke()
        return interpreter.get_tensor(answer["index"])

    return predict


def _converter(network: keras.Model, folder: str) -> tf.lite.TFLiteConverter:
    """Returns a converter of a SavedModel that is written to the folder."""

    def predict_images(images: tf.Tensor) -> dict[str, tf.Tensor]:
        logits = tf.cast(network(images, training=False), tf.float32)
        return {"probabilities": tf.nn.softmax(logits)}

    archive = keras.export.ExportArchive()
    archive.track(network)
    archive.add_endpoint(
        "images", predict_images, [tf.TensorSpec([None, *IMAGE_SHAPE], tf.uint8, name="images")]
    )
    archive.write_out(folder, verbose=False)
    return tf.lite.TFLiteConverter.from_saved_model(folder, signature_keys=["images"])


def _converted(convert: Callable[[], bytes]) -> bytes:
    try:
        return convert()
    except Exception as error:  # the converter's own type is not public
        operations = sorted(set(re.findall(r"'tf\.(\w+)' op is neither", str(error))))
        if not operations:
            raise
        raise ConfigError(
            f"The student cannot be converted to TFLite, which has no {', '.join(operations)}. "
            "Build the network of other layers, or leave tflite out of push.formats."
        ) from error
