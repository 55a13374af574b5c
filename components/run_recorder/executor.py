"""What RunRecorder runs."""

import json
import os
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact
from tfx.utils import io_utils

from components import gate_bounds
from components.artifacts import RunRecord
from components.run_recorder import origin
from kd_trainer import methods

Artifacts = dict[str, list[Artifact]]


class Executor(base_executor.BaseExecutor):
    """Writes `run.json`."""

    def Do(
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Writes the record.

        Args:
          input_dict: empty.
          output_dict: `run_record`.
          exec_properties: as `RunRecorder` takes them, `run` as a JSON document.

        Raises:
          ConfigError: method or gate are not what they should be.
        """
        run = json.loads(exec_properties["run"])
        given = {
            "method": methods.chosen(exec_properties["method"], exec_properties["method_preset"]),
            "gate": {
                **gate_bounds.read(exec_properties["gate"]),
                "baseline": exec_properties["baseline"],
            },
            "data": {**run["config"]["data"], "path": exec_properties["data_uri"]},
        }
        # A cluster's code and machine are not known where the pipeline is compiled.
        here = {"code": origin.code(), "environment": origin.environment()}
        document = {**here, **run, "config": {**run["config"], **given}}
        (record,) = output_dict["run_record"]
        path = os.path.join(record.uri, RunRecord.FILE_NAME)
        io_utils.write_string_file(path, json.dumps(document, indent=1))
        record.set_string_custom_property("name", document["config"]["name"])
        record.set_string_custom_property("revision", document["code"]["revision"])
