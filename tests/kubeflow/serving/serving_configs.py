"""Parses TensorFlow Serving's configuration files as it does: unknown fields are refused.

The Python package has no messages of these. The fields that are used here are of release 2.16.1:
tensorflow_serving/config/monitoring_config.proto:7-20 and
tensorflow_serving/servables/tensorflow/session_bundle_config.proto:145-186.
"""

from typing import Any

from google.protobuf import descriptor_pb2, message_factory, text_format

_SCALARS = {"int64": 3, "bool": 8, "string": 9}  # FieldDescriptorProto.Type
_MESSAGE = 11
_FIELDS = {
    "PrometheusConfig": [("enable", 1, "bool"), ("path", 2, "string")],
    "MonitoringConfig": [("prometheus_config", 1, "PrometheusConfig")],
    "Int64Value": [("value", 1, "int64")],
    "BoolValue": [("value", 1, "bool")],
    "BatchingParameters": [
        ("max_batch_size", 1, "Int64Value"),
        ("batch_timeout_micros", 2, "Int64Value"),
        ("max_enqueued_batches", 3, "Int64Value"),
        ("num_batch_threads", 4, "Int64Value"),
        ("enable_large_batch_splitting", 8, "BoolValue"),
        ("max_execution_batch_size", 9, "Int64Value"),
    ],
}


def _messages() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="serving_configs.proto", package="serving_configs", syntax="proto3"
    )
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for field_name, number, kind in fields:
            field = message.field.add(name=field_name, number=number, label=1)
            field.type = _SCALARS.get(kind, _MESSAGE)
            if kind not in _SCALARS:
                field.type_name = f".serving_configs.{kind}"
    return message_factory.GetMessages([file])


_MESSAGES = _messages()


def parse(name: str, text: str) -> Any:
    """Returns the message of that name that a file's text stands for."""
    return text_format.Parse(text, _MESSAGES[f"serving_configs.{name}"]())
