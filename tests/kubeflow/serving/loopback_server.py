"""TensorFlow Serving's two doors on 127.0.0.1, before a real SavedModel.

The model server cannot be installed from a package index. This speaks its protocols as
https://www.tensorflow.org/tfx/serving/api_rest and prediction_service.proto have them, holds each
request against the signature (keys, dtypes, shapes) and answers with TensorFlow.
"""

import base64
import json
import re
import threading
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from typing import Any, NamedTuple

import grpc
import numpy as np
import tensorflow as tf
from services import JsonHandler
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


class RefusedError(Exception):
    """The request does not fit the model."""


class Ports(NamedTuple):
    grpc: int
    rest: int


class Model:
    def __init__(self, name: str, directory: str):
        self.name = name
        self.signatures = tf.saved_model.load(directory).signatures

    def spec(self, model: str, signature: str) -> dict[str, tf.TensorSpec]:
        if model != self.name:
            raise RefusedError(f"Servable not found for request: Latest({model})")
        if signature not in self.signatures:
            raise RefusedError(f"Serving signature key {signature!r} not found.")
        return self.signatures[signature].structured_input_signature[1]

    def predict(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
        name = request.model_spec.signature_name or "serving_default"
        spec = self.spec(request.model_spec.name, name)
        if set(request.inputs) != set(spec):
            raise RefusedError(f"inputs are {sorted(request.inputs)}, expected {sorted(spec)}")
        inputs = {}
        for key, proto in request.inputs.items():
            inputs[key] = tf.constant(tf.make_ndarray(proto), tf.as_dtype(proto.dtype))
            if not spec[key].is_compatible_with(inputs[key]):
                raise RefusedError(f"{key} is {inputs[key].shape} {inputs[key].dtype}")
        response = predict_pb2.PredictResponse()
        response.model_spec.CopyFrom(request.model_spec)
        try:
            outputs = self.signatures[name](**inputs)
        except tf.errors.InvalidArgumentError as error:  # of the graph, such as a damaged file
            raise RefusedError(error.message) from None
        for key, value in outputs.items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value.numpy(), value.dtype))
        return response

    def predict_json(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """The row format, of a signature with one input."""
        if unknown := body.keys() - {"signature_name", "instances"}:
            raise RefusedError(f"unknown keys {sorted(unknown)}")
        request = predict_pb2.PredictRequest()
        request.model_spec.name = name
        request.model_spec.signature_name = body.get("signature_name", "serving_default")
        ((key, spec),) = self.spec(name, request.model_spec.signature_name).items()
        batch = [_value(instance, spec.dtype) for instance in body["instances"]]
        try:
            request.inputs[key].CopyFrom(tf.make_tensor_proto(batch, spec.dtype))
        except TypeError as error:
            raise RefusedError(f"{key}: {error}") from None
        outputs = {key: tf.make_ndarray(v) for key, v in self.predict(request).outputs.items()}
        rows = [dict(zip(outputs, row, strict=True)) for row in zip(*outputs.values(), strict=True)]
        return {"predictions": [{key: _json(value) for key, value in row.items()} for row in rows]}


def _value(instance: Any, dtype: tf.DType) -> Any:
    if dtype != tf.string:
        return instance
    if isinstance(instance, str):
        return instance.encode()
    if isinstance(instance, dict) and instance.keys() == {"b64"}:
        return base64.b64decode(instance["b64"], validate=True)
    raise RefusedError("bytes must be a JSON object with the key b64")


def _json(value: Any) -> Any:
    # As text, for no output's name ends with _bytes.
    return value.decode() if isinstance(value, bytes) else np.asarray(value).tolist()


@contextmanager
def serving(model: Model) -> Iterator[Ports]:
    """Serves a model for as long as the block lasts."""

    class Servicer(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(  # noqa: N802 (its name in prediction_service.proto)
            self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
        ) -> predict_pb2.PredictResponse:
            try:
                return model.predict(request)
            except RefusedError as error:
                return context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

    class Handler(JsonHandler):
        def do_POST(self) -> None:  # noqa: N802
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                (name,) = re.fullmatch(r"/v1/models/([^/:]+):predict", self.path).groups()
                status, answer = 200, model.predict_json(name, body)
            except RefusedError as error:
                status, answer = 400, {"error": str(error)}
            self.answer(status, answer)

    grpc_server = grpc.server(futures.ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Servicer(), grpc_server)
    grpc_port = grpc_server.add_insecure_port("127.0.0.1:0")
    grpc_server.start()
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        threading.Thread(target=http_server.serve_forever).start()
        try:
            yield Ports(grpc_port, http_server.server_port)
        finally:
            http_server.shutdown()
            grpc_server.stop(None)
