"""What LiteExporter runs."""

from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils

from components.artifacts import LiteModels

Artifacts = dict[str, list[Artifact]]


class Executor(base_executor.BaseExecutor):
    """Loads the network, calibrates, converts."""

    def Do(
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Writes both files, or none.

        Args:
          input_dict: `model`, `examples`.
          output_dict: `lite`.
          exec_properties: not read.

        Raises:
          ConfigError: the network holds what TFLite has no operation for.
          DataError: the split has no images.
        """
        # TensorFlow is loaded where it is needed: the component's definition is not.
        from kd_trainer import lite as tflite
        from kd_trainer.examples import load as load_examples
        from kd_trainer.export import load

        (examples,), (lite,) = input_dict["examples"], output_dict["lite"]
        splits = artifact_utils.decode_split_names(examples.split_names)
        split = "eval" if "eval" in splits else "train"
        images = load_examples([f"{artifact_utils.get_split_uri([examples], split)}/*"]).images
        network = load(artifact_utils.get_single_uri(input_dict["model"]))
        contents = {
            "float32": tflite.convert_float32(network),
            "int8": tflite.convert_int8(network, images),
        }
        for precision, name in LiteModels.FILE_NAMES.items():
            path = Path(lite.uri, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents[precision])
            lite.set_int_custom_property(f"{precision}_bytes", len(contents[precision]))
