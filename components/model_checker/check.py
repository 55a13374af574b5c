"""Holds an exported network against the same network in memory."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from components.model_checker.clean_process import NoAnswerError, ask
from kd_trainer import warm_up
from kd_trainer.export import load
from kd_trainer.labels import class_names

# Of the largest logit. What TensorFlow fuses in a graph is rounded otherwise than in memory; that
# is some 1e-6 of it a layer, and a wrong weight is far above.
TOLERANCE = 1e-4
TIMEOUT = 600.0  # seconds; loading and answering take ten


class Result(NamedTuple):
    """What was found.

    Attributes:
      reasons: why the export must not be served; none: it may.
      max_difference: the largest one of a logit; None if there are no logits to compare.
    """

    reasons: list[str]
    max_difference: float | None


class _Expected(NamedTuple):
    logits: np.ndarray
    probabilities: np.ndarray
    class_names: np.ndarray
    tolerance: float


def check(model_dir: str, serving_dir: str, images: np.ndarray, timeout: float = TIMEOUT) -> Result:
    """Asks every signature for the same images, and replays the warm-up requests.

    Args:
      model_dir: the folder of `model.keras`.
      serving_dir: the SavedModel.
      images: uint8 `(n, 32, 32, 3)`.
      timeout: seconds that the SavedModel's process has.
    """
    requests = _requests(images)
    try:
        replayed = warm_up.read(Path(serving_dir))
    except (tf.errors.OpError, DecodeError) as error:
        return Result([f"the warm-up requests cannot be read: {error}"], None)
    # A file that was cut off between two records, or is hardly one, reads as one with fewer.
    if cold := _signatures(requests) - _signatures(replayed):
        return Result([f"there are no warm-up requests for {sorted(cold)}"], None)
    try:
        answers = ask(serving_dir, [*requests, *replayed], timeout)
    except NoAnswerError as error:
        return Result([f"the SavedModel gave no answers: {error}"], None)
    expected = _expected(model_dir, images)
    reasons: list[str] = []
    differences: list[float] = []
    for request, answer in zip(requests, answers[: len(requests)], strict=True):
        found, difference = _compare(answer, expected)
        reasons += [f"signature {request.model_spec.signature_name!r}: {what}" for what in found]
        differences += [difference] if difference is not None else []
    return Result(reasons, max(differences, default=None))


def _requests(images: np.ndarray) -> list[PredictRequest]:
    examples = []
    for image in images:
        example = tf.train.Example()
        example.features.feature["image"].bytes_list.value.append(image.tobytes())
        examples.append(example.SerializeToString())
    files = [tf.io.encode_png(image).numpy() for image in images]
    return [
        warm_up.request("serving_default", examples=examples),
        warm_up.request("images", images=images),
        warm_up.request("encoded_images", encoded_images=files),
    ]


def _signatures(requests: list[PredictRequest]) -> set[str]:
    return {request.model_spec.signature_name for request in requests}


def _expected(model_dir: str, images: np.ndarray) -> _Expected:
    with tf.device("CPU:0"):  # as the clean process; a GPU rounds otherwise
        logits = tf.cast(load(model_dir)(images, training=False), tf.float32)
    return _Expected(
        logits=logits.numpy(),
        probabilities=tf.nn.softmax(logits).numpy(),
        class_names=np.array([name.encode() for name in class_names(logits.shape[1])]),
        tolerance=TOLERANCE * max(1.0, float(np.abs(logits).max())),
    )


def _compare(answer: dict[str, np.ndarray], expected: _Expected) -> tuple[list[str], float | None]:
    """Returns what is wrong with an answer, and the largest difference of a logit."""
    count, classes = expected.logits.shape
    shapes = {name: value.shape for name, value in answer.items()}
    wanted = {
        "logits": (count, classes),
        "probabilities": (count, classes),
        "label": (count,),
        "class_name": (count,),
    }
    if shapes != wanted:
        return [f"gives {shapes}, expected {wanted}"], None
    if not np.isfinite(answer["logits"]).all():
        return ["gives logits that are not finite"], None
    reasons = []
    difference = float(np.abs(answer["logits"] - expected.logits).max())
    if difference > expected.tolerance:
        reasons.append(
            f"logits differ by {difference:.3g} from those in memory, at most "
            f"{expected.tolerance:.3g} is rounding"
        )
    if not np.abs(answer["probabilities"] - expected.probabilities).max() <= expected.tolerance:
        reasons.append("probabilities are not the softmax of the logits in memory")
    second, first = np.sort(expected.logits, axis=1)[:, -2:].T
    certain = first - second > 2 * expected.tolerance
    if (answer["label"] != expected.logits.argmax(axis=1))[certain].any():
        reasons.append("labels are not those of the network in memory")
    if not np.isin(answer["label"], range(classes)).all():
        reasons.append(f"labels are not 0 to {classes - 1}")
    elif (answer["class_name"] != expected.class_names[answer["label"]]).any():
        reasons.append("class names are not those of the labels")
    return reasons, difference
