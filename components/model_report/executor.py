"""What ModelReport runs."""

import json
import os
import uuid
from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact

from components.artifacts import ReportPage
from components.model_report import confusion, page, run
from components.serving_versions import report_path

Artifacts = dict[str, list[Artifact]]


class Executor(base_executor.BaseExecutor):
    """Reads the run's artifacts and writes the page."""

    def Do(
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Writes `report.html` and `confusion.json`.

        Where the student was pushed, the page lies beside the versions, too.

        Args:
          input_dict: what `ModelReport` takes, one artifact each.
          output_dict: `report`.
          exec_properties: not read.

        Raises:
          DataError: the predictions are not of the examples' split `test`.
        """
        artifacts = {key: artifact for key, [artifact] in input_dict.items()}
        run_id = (self._context and self._context.pipeline_run_id) or ""
        read = run.read(artifacts)
        html = page.render(read, run_id)
        (report,) = output_dict["report"]
        path = Path(report.uri) / ReportPage.FILE_NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(html, encoding="utf-8")
        path.with_name(ReportPage.CONFUSION_NAME).write_text(
            json.dumps(confusion.matrix(read)), encoding="utf-8"
        )
        _tell(read, report)
        pushed = artifacts["pushed_model"]
        if pushed.get_int_custom_property("pushed"):
            _keep(html, report_path(pushed.get_string_custom_property("pushed_destination")))


def _tell(read: run.Run, report: Artifact) -> None:
    """Gives the page's artifact the figures that runs are compared by."""
    networks = read.profile.networks
    for name in ("student", "baseline", "teacher"):
        report.set_float_custom_property(f"{name}_top1", networks[name].top1)
        report.set_float_custom_property(f"{name}_top5", networks[name].top5)
    gain = networks["student"].top1 - networks["baseline"].top1
    report.set_float_custom_property("gain_over_baseline", gain)
    report.set_int_custom_property("blessed", int(read.decision.blessed))


def _keep(html: str, path: str) -> None:
    """Lays the page beside the versions, where it is found without ML Metadata."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    partial = f"{path}.{uuid.uuid4().hex}"
    Path(partial).write_text(html, encoding="utf-8")
    os.replace(partial, path)
