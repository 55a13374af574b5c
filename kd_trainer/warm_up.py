"""Requests that TensorFlow Serving answers for itself as it loads a model.

So that what TensorFlow sets up at the first request does not keep the first user waiting.
Source: https://www.tensorflow.org/tfx/serving/saved_model_warmup.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from kd_trainer.examples import IMAGE_SHAPE

FILE = Path("assets.extra", "tf_serving_warmup_requests")  # the name that the server looks for
_BATCH_SIZES = (1, 8)
_PHOTO_SIZE = (240, 320)  # height, width


def write(serving_dir: Path) -> None:
    """Writes the requests into a SavedModel: one image and a batch, for each signature.

    Args:
      serving_dir: a SavedModel as `kd_trainer.export` writes it.
    """
    path = serving_dir / FILE
    path.parent.mkdir()
    with tf.io.TFRecordWriter(str(path)) as writer:
        for request in _requests():
            log = prediction_log_pb2.PredictionLog()
            log.predict_log.request.CopyFrom(request)
            writer.write(log.SerializeToString(deterministic=True))


def read(serving_dir: Path) -> list[predict_pb2.PredictRequest]:
    """Reads the requests of a SavedModel.

    Args:
      serving_dir: a SavedModel as `kd_trainer.export` writes it.

    Raises:
      tf.errors.OpError: the file is missing or no TFRecord.
      google.protobuf.message.DecodeError: a record is no PredictionLog.
    """
    records = tf.data.TFRecordDataset(str(serving_dir / FILE)).as_numpy_iterator()
    return [
        prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        for record in records
    ]


def request(signature: str, **inputs: np.ndarray | list[bytes]) -> predict_pb2.PredictRequest:
    """Returns a request to a signature; the server's name for the model is left open."""
    made = predict_pb2.PredictRequest()
    made.model_spec.signature_name = signature
    for name, value in inputs.items():
        made.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return made


def _requests() -> Iterator[predict_pb2.PredictRequest]:
    image = _gradient(*IMAGE_SHAPE[:2])
    photo = tf.io.encode_jpeg(_gradient(*_PHOTO_SIZE)).numpy()
    example = tf.train.Example()
    example.features.feature["image"].bytes_list.value.append(image.tobytes())
    for size in _BATCH_SIZES:
        yield request("serving_default", examples=[example.SerializeToString()] * size)
        yield request("images", images=np.stack([image] * size))
        yield request("encoded_images", encoded_images=[photo] * size)


def _gradient(height: int, width: int) -> np.ndarray:
    rows, columns = np.meshgrid(
        np.linspace(0, 255, height), np.linspace(0, 255, width), indexing="ij"
    )
    return np.stack([rows, columns, (rows + columns) / 2], axis=-1).astype(np.uint8)
