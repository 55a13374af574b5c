"""A pushed version behind KServe's own model server; runs where `kserve` and TensorFlow are.

    python kserve_server.py --model_dir VERSION --model_name NAME --http_port PORT

KServe reads the requests and writes the answers of both its protocols; this makes calls of the
SavedModel of them. A body of version 1 may name a signature, as one of TensorFlow Serving's does;
in version 2 the input's name tells it, and bytes are base64.
"""

import argparse
import base64
from typing import Any

import kserve
import numpy as np
import tensorflow as tf
import uvicorn


class Student(kserve.Model):
    def __init__(self, name: str, directory: str):
        super().__init__(name)
        self.model = tf.saved_model.load(directory)
        self.ready = True

    def predict(self, payload: Any, headers: Any = None) -> Any:
        if isinstance(payload, kserve.InferRequest):
            return self.predict_tensor(payload)
        values = [
            base64.b64decode(value["b64"]) if isinstance(value, dict) else value
            for value in payload["instances"]
        ]
        outputs = self.ask(payload.get("signature_name", "serving_default"), values)
        rows = zip(*(_json(value) for value in outputs.values()), strict=True)
        return {"predictions": [dict(zip(outputs, row, strict=True)) for row in rows]}

    def predict_tensor(self, request: kserve.InferRequest) -> kserve.InferResponse:
        (tensor,) = request.inputs
        (signature,) = (key for key in self.model.signatures if tensor.name in self.inputs(key))
        values = tensor.as_numpy()
        if tensor.datatype == "BYTES":
            values = [base64.b64decode(value) for value in values]
        outputs = [_tensor(*item) for item in self.ask(signature, values).items()]
        return kserve.InferResponse(request.id, self.name, outputs)

    def inputs(self, signature: str) -> dict[str, tf.TensorSpec]:
        return self.model.signatures[signature].structured_input_signature[1]

    def ask(self, signature: str, values: Any) -> dict[str, np.ndarray]:
        ((key, spec),) = self.inputs(signature).items()
        outputs = self.model.signatures[signature](**{key: tf.constant(values, spec.dtype)})
        return {name: value.numpy() for name, value in outputs.items()}


def _json(value: np.ndarray) -> list:
    return value.astype(str).tolist() if value.dtype == object else value.tolist()


def _tensor(name: str, value: np.ndarray) -> kserve.InferOutput:
    datatype = {"float32": "FP32", "int64": "INT64", "object": "BYTES"}[str(value.dtype)]
    return kserve.InferOutput(name, list(value.shape), datatype, _json(value.reshape(-1)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        parents=[kserve.model_server.parser], conflict_handler="resolve"
    )
    parser.add_argument("--model_dir", required=True)
    options = parser.parse_args()
    # KServe's listens to the whole network.
    bind = uvicorn.Config.__init__
    uvicorn.Config.__init__ = lambda self, app, host, **rest: bind(
        self, app, host="127.0.0.1", **rest
    )
    server = kserve.ModelServer(http_port=options.http_port, enable_grpc=False)
    server.start([Student(options.model_name, options.model_dir)])
