"""Answers requests with a SavedModel, in a process that has TensorFlow and numpy alone.

Run by path, `python -I answer.py SAVED_MODEL REQUESTS ANSWERS`: it imports nothing of ours.
Requests and answers are JSON: a list of `{"signature": name, "tensors": {key: [dtype, data]}}`,
the data a serialized `TensorProto` in base64.
"""

import base64
import gc
import json
import sys
from pathlib import Path

# What a server does not have. Importing it fails from here on, wherever that is tried.
_ABSENT = ("keras", "tf_keras", "tfx", "kd_trainer", "components", "pipeline", "schemas")


def main(model_dir: str, requests_file: str, answers_file: str) -> None:
    """Writes the answers to a file of requests, in their order.

    Args:
      model_dir: the SavedModel.
      requests_file: what is read.
      answers_file: what is written.
    """
    for package in _ABSENT:
        sys.modules[package] = None  # type: ignore[assignment]
    import tensorflow as tf

    def answer(request: dict) -> dict:
        name = request["signature"]
        if name not in model.signatures:
            sys.exit(f"There is no signature {name!r}, only {sorted(model.signatures)}.")
        inputs = {
            key: tf.io.parse_tensor(base64.b64decode(data), dtype)
            for key, (dtype, data) in request["tensors"].items()
        }
        outputs = {
            key: (tensor.dtype.name, base64.b64encode(tf.io.serialize_tensor(tensor).numpy()))
            for key, tensor in model.signatures[name](**inputs).items()
        }
        tensors = {key: [dtype, data.decode()] for key, (dtype, data) in outputs.items()}
        return {"signature": name, "tensors": tensors}

    model = tf.saved_model.load(model_dir)
    requests = json.loads(Path(requests_file).read_text(encoding="utf-8"))
    Path(answers_file).write_text(
        json.dumps([answer(request) for request in requests]), encoding="utf-8"
    )


if __name__ == "__main__":
    # What TensorFlow loads stays: looking for garbage in it, then and at the end, takes seconds.
    gc.disable()
    main(*sys.argv[1:])
    gc.freeze()
