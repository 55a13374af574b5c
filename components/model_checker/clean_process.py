"""Asks a SavedModel in a process that has TensorFlow and numpy alone."""

import base64
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from components.model_checker import answer

_SHOWN = 1000  # characters of what a process that fails has said last


class NoAnswerError(Exception):
    """The process ended, or was ended, without answers."""


def ask(
    serving_dir: str, requests: Sequence[PredictRequest], timeout: float
) -> list[dict[str, np.ndarray]]:
    """Loads a SavedModel and answers requests, away from this process, folder and environment.

    Args:
      serving_dir: the SavedModel.
      requests: what is asked, in turn.
      timeout: seconds after which the process is ended.

    Returns:
      The outputs of each request by their names.

    Raises:
      NoAnswerError: the process failed, and says with what, or took too long.
    """
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder, "requests.json"), Path(folder, "answers.json")
        asked.write_text(json.dumps([_document(request) for request in requests]), encoding="utf-8")
        workdir = Path(folder, "empty")
        workdir.mkdir()
        # -I: neither that folder, nor the script's, nor PYTHONPATH.
        command = [sys.executable, "-I", answer.__file__, os.path.abspath(serving_dir)]
        try:
            process = subprocess.run(
                [*command, str(asked), str(answered)],
                cwd=workdir,
                # This process may hold all of the GPU's memory.
                env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                timeout=timeout,
                encoding="utf-8",
            )
        except subprocess.TimeoutExpired:
            raise NoAnswerError(f"it had not answered after {timeout:g} s") from None
        if process.returncode:
            said = process.stderr.strip()[-_SHOWN:]
            raise NoAnswerError(f"its process ended with status {process.returncode}: {said}")
        return [_outputs(document) for document in json.loads(answered.read_text(encoding="utf-8"))]


def _document(request: PredictRequest) -> dict:
    tensors = {
        key: [tf.as_dtype(proto.dtype).name, base64.b64encode(proto.SerializeToString()).decode()]
        for key, proto in request.inputs.items()
    }
    return {"signature": request.model_spec.signature_name, "tensors": tensors}


def _outputs(document: dict) -> dict[str, np.ndarray]:
    return {
        key: tf.io.parse_tensor(base64.b64decode(data), dtype).numpy()
        for key, (dtype, data) in document["tensors"].items()
    }
