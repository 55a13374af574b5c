"""What AnomalyGate runs."""

from collections.abc import Iterator
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.components.example_validator.executor import DEFAULT_FILE_NAME
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import Artifact, artifact_utils

from kd_trainer.errors import DataError

Artifacts = dict[str, list[Artifact]]


def describe(split: str, anomalies: anomalies_pb2.Anomalies) -> Iterator[str]:
    """Yields a line an anomaly: the split, the feature, what is wrong with it."""
    if anomalies.HasField("dataset_anomaly_info"):
        yield f"split {split!r}: {anomalies.dataset_anomaly_info.description}"
    for feature, info in sorted(anomalies.anomaly_info.items()):
        for reason in info.reason:
            kind = anomalies_pb2.AnomalyInfo.Type.Name(reason.type)
            yield f"split {split!r}, feature {feature!r}: {kind}: {reason.description}"


class Executor(base_executor.BaseExecutor):
    """Reads the anomalies of every split."""

    def Do(
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Fails if there are any.

        Args:
          input_dict: `anomalies`.
          output_dict: empty.
          exec_properties: empty.

        Raises:
          DataError: names each anomaly with its split and feature.
        """
        (artifact,) = input_dict["anomalies"]
        lines: list[str] = []
        for split in artifact_utils.decode_split_names(artifact.split_names):
            uri = artifact_utils.get_split_uri([artifact], split)
            with fileio.open(f"{uri}/{DEFAULT_FILE_NAME}", "rb") as file:
                lines += describe(split, anomalies_pb2.Anomalies.FromString(file.read()))
        if lines:
            raise DataError(
                "The data does not match the schema:\n  "
                + "\n  ".join(lines)
                + "\nMend the data, or the schema if it is out of date (data.schema_path)."
            )
