"""What TrialCollector runs."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.types import Artifact

from components.artifacts import Trials
from components.leaderboard.trials import Trial

Artifacts = dict[str, list[Artifact]]


class Executor(base_executor.BaseExecutor):
    """Reads what each network's Evaluator and training wrote."""

    def Do(
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Writes `trials.json`, a list of `Trial`.

        Args:
          input_dict: `<trial>_evaluation` and, unless it was trained elsewhere,
            `<trial>_model_run` of each.
          output_dict: `trials`.
          exec_properties: as `TrialCollector` takes them, `networks` as JSON.
        """
        found = [
            dataclasses.asdict(_trial(key, described, input_dict))
            for key, described in json.loads(exec_properties["networks"]).items()
        ]
        (trials,) = output_dict["trials"]
        folder = Path(trials.uri)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / Trials.FILE_NAME).write_text(json.dumps(found, indent=2), encoding="utf-8")


def _trial(key: str, described: dict[str, Any], input_dict: Artifacts) -> Trial:
    # TFMA is loaded where it is needed: the component's definition is not.
    from components import evaluation
    from components.student_gate.rules import TOP1

    (measured,) = input_dict[f"{key}_evaluation"]
    history = []
    if run := input_dict.get(f"{key}_model_run"):
        history = json.loads((Path(run[0].uri) / "history.json").read_text(encoding="utf-8"))
    validated = [row["val_accuracy"] for row in history if "val_accuracy" in row]
    return Trial(
        **described,
        accuracy=evaluation.metrics(measured.uri, "candidate")[()][TOP1],
        last=validated[-1] if validated else None,
        best=max(validated, default=None),
        curve=tuple(row.get("val_accuracy", row.get("accuracy")) for row in history),
        seconds=sum(row["seconds"] for row in history),
    )
