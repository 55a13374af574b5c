"""What DataProbe runs."""

from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact

from components.cifar100_example_gen import reader

Artifacts = dict[str, list[Artifact]]


class Executor(base_executor.BaseExecutor):
    """Reads the source and says what is in it."""

    def Do(
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Writes the fingerprint.

        Args:
          input_dict: empty.
          output_dict: `fingerprint`.
          exec_properties: `source`; the others are not read.

        Raises:
          DataError: the source is missing, damaged or not CIFAR-100.
        """
        (fingerprint,) = output_dict["fingerprint"]
        fingerprint.value = reader.inspect(exec_properties["source"]).fingerprint
