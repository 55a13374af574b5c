"""What ModelReport runs."""

import os
import uuid
from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact

from components.artifacts import ReportPage
from components.model_report import page, run
from components.serving_versions import report_path

Artifacts = dict[str, list[Artifact]]


class Executor(base_executor.BaseExecutor):
    """Reads the run's artifacts and writes the page."""

    def Do(
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Writes `report.html`; where the student was pushed, beside the versions too.

        Args:
          input_dict: what `ModelReport` takes, one artifact each.
          output_dict: `report`.
          exec_properties: not read.

        Raises:
          DataError: the predictions are not of the examples' split `test`.
        """
        artifacts = {key: artifact for key, [artifact] in input_dict.items()}
        run_id = (self._context and self._context.pipeline_run_id) or ""
        html = page.render(run.read(artifacts), run_id)
        (report,) = output_dict["report"]
        path = Path(report.uri) / ReportPage.FILE_NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html, encoding="utf-8")
        pushed = artifacts["pushed_model"]
        if pushed.get_int_custom_property("pushed"):
            _keep(html, report_path(pushed.get_string_custom_property("pushed_destination")))


def _keep(html: str, path: str) -> None:
    """Lays the page beside the versions, where it is found without ML Metadata."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    partial = f"{path}.{uuid.uuid4().hex}"
    Path(partial).write_text(html, encoding="utf-8")
    os.replace(partial, path)
