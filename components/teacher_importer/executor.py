"""What TeacherImporter runs."""

import json
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact
from tfx.utils import path_utils

from components import own_networks
from kd_trainer.export import export
from kd_trainer.labels import class_names

Artifacts = dict[str, list[Artifact]]


class Executor(base_executor.BaseExecutor):
    """Loads the teacher, and writes it as the Trainer writes a network."""

    def Do(
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Writes the model.

        Args:
          input_dict: empty.
          output_dict: `model`.
          exec_properties: `file`, `sha256` and `taps`; the others are not read.

        Raises:
          ConfigError: the file is missing, or is another one than was checked.
        """
        (model,) = output_dict["model"]
        origin = {key: exec_properties[key] for key in ("file", "sha256", "taps")}
        taps = json.loads(origin["taps"])
        network = own_networks.load("teacher", origin["file"], origin["sha256"], taps).network
        names = class_names(network.output_shape[-1])
        export(network, path_utils.serving_model_dir(model.uri), names)
        for key, value in origin.items():
            model.set_string_custom_property(key, value)
