"""What RunRecorder runs."""

import json
import os
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact
from tfx.utils import io_utils

from components.artifacts import RunRecord

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
          exec_properties: `run`, a JSON document.
        """
        document = json.loads(exec_properties["run"])
        (record,) = output_dict["run_record"]
        path = os.path.join(record.uri, RunRecord.FILE_NAME)
        io_utils.write_string_file(path, json.dumps(document, indent=1))
        record.set_string_custom_property("name", document["config"]["name"])
        record.set_string_custom_property("revision", document["code"]["revision"])
