"""What a distillation leaves: the exported student and the summary."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
from tfx.types import Artifact
from tfx.utils import path_utils

from components.artifacts import DistillationSummary
from components.distill_trainer.inputs import Inputs
from kd_trainer import methods, training
from kd_trainer.export import export
from kd_trainer.labels import class_names
from kd_trainer.networks import build


def write(
    inputs: Inputs,
    config: Mapping[str, Any],
    student: keras.Model,
    history: list[dict[str, Any]],
    model: Artifact,
    summary: Artifact,
) -> None:
    """Exports a student, and writes how well it and the teacher do on `test`.

    Args:
      inputs: what it was trained on.
      config: `student`, `recipe`, `seed`, `method`.
      student: the trained student.
      history: of its training.
      model: is given the SavedModel and `model.keras`.
      summary: is given `summary.json`.
    """
    export(student, path_utils.serving_model_dir(model.uri), class_names(inputs.classes))
    networks = {"teacher": inputs.teacher, "student": student}
    document = {
        **config,
        "origins": inputs.origins,
        "networks": {name: network.name for name, network in networks.items()},
        "test": {
            "teacher": inputs.teacher_accuracy,
            "student": training.accuracy(student, inputs.splits["test"]),
        },
        "parameters": {
            # A method may export another network than the one that the baseline is.
            "baseline": training.parameters(build(config["student"], inputs.classes)),
            **{name: training.parameters(network) for name, network in networks.items()},
        },
        "rollbacks": [each for row in history for each in row.get("rollbacks", [])],
        "seconds": round(sum(row["seconds"] for row in history), 1),
    }
    path = Path(summary.uri) / DistillationSummary.FILE_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1), encoding="utf-8")
    model.set_string_custom_property("method", methods.label(config["method"]))
    model.set_float_custom_property("test_top1", document["test"]["student"]["top1"])
