"""What BestStudent runs."""

import csv
import json
from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils

from components.artifacts import ComparisonTable
from components.leaderboard.trials import BASELINE, TEACHER

Artifacts = dict[str, list[Artifact]]
PARTS = ("model", "model_run", "summary")


class Executor(base_executor.BaseExecutor):
    """Copies what was trained by the method with the best mean."""

    def Do(
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Chooses and copies.

        Args:
          input_dict: `table`, and `<trial>_model`, `<trial>_model_run`, `<trial>_summary` of each
            student.
          output_dict: `model`, `model_run`, `summary`.
          exec_properties: as `BestStudent` takes them, `rows` as JSON.
        """
        table = Path(artifact_utils.get_single_uri(input_dict["table"]))
        best = _best_row(table / ComparisonTable.CSV_NAME)
        rows = json.loads(exec_properties["rows"])
        trials = [key for key, row in rows.items() if row in (best, None)]
        chosen = max(trials, key=lambda key: _validated(input_dict[f"{key}_model_run"]))
        for part in PARTS:
            (given,), (made,) = input_dict[f"{chosen}_{part}"], output_dict[part]
            io_utils.copy_dir(given.uri, made.uri)
            made.set_string_custom_property("trial", chosen)
        (given,), (made,) = input_dict[f"{chosen}_model"], output_dict["model"]
        made.set_string_custom_property("method", given.get_string_custom_property("method"))
        made.set_float_custom_property("test_top1", given.get_float_custom_property("test_top1"))


def _best_row(file: Path) -> str:
    """Returns the method that stands first: the table has the best mean first."""
    with open(file, encoding="utf-8", newline="") as lines:
        rows = [line["row"] for line in csv.DictReader(lines)]
    return next(row for row in rows if row not in (TEACHER, BASELINE))


def _validated(model_run: list[Artifact]) -> float:
    """Returns the last epoch's accuracy on `eval`, for `test` must not choose; 0 without one."""
    history = json.loads(
        (Path(artifact_utils.get_single_uri(model_run)) / "history.json").read_text(
            encoding="utf-8"
        )
    )
    return history[-1].get("val_accuracy", 0.0)
