"""What StudentGate runs."""

from pathlib import Path
from typing import Any

import numpy as np
from tfx.components.evaluator import constants
from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils
from tfx.utils import io_utils, path_utils

from components import decision, gate_bounds, profile
from components.artifacts import ModelProfile
from components.decision import Bound, Decision
from components.student_gate import budgets, checks, verdict
from components.student_gate.rules import rules
from kd_trainer.errors import ConfigError

Artifacts = dict[str, list[Artifact]]


class Executor(base_executor.BaseExecutor):
    """Holds the student against every bound."""

    def Do(
        self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]
    ) -> None:
        """Writes `decision.json`, and the blessing as TFX's Evaluator does.

        Args:
          input_dict: `evaluation`, `profile`, `infra_blessing`, `baseline`, `candidate`;
            `teacher_evaluation` may be absent.
          output_dict: `blessing`, `decision`.
          exec_properties: `gate`, `push_directory`; the others are not read.

        Raises:
          ConfigError: `gate` holds no bounds or wrong ones, or one on the teacher's accuracy, which
            was not evaluated.
          RuntimeError: TFMA's verdict is not on these bounds.
        """
        gate = gate_bounds.read(exec_properties["gate"])
        (baseline,), (candidate,) = input_dict["baseline"], input_dict["candidate"]
        bounds = [
            *_accuracy(gate, input_dict),
            *_checks(candidate, input_dict, exec_properties["push_directory"]),
        ]
        made = Decision(
            blessed=all(bound.passed for bound in bounds),
            rebaseline=gate["rebaseline"],
            baseline=baseline.get_string_custom_property("choice"),
            champion_version=baseline.get_string_custom_property("champion_version"),
            baseline_reason=baseline.get_string_custom_property("reason"),
            in_service=baseline.get_string_custom_property("in_service"),
            bounds=bounds,
        )
        (written,), (blessing,) = output_dict["decision"], output_dict["blessing"]
        decision.write(made, written.uri)
        written.set_int_custom_property("blessed", int(made.blessed))
        written.set_string_custom_property("refused_by", ", ".join(made.refused_by))
        _bless(blessing, made.blessed, candidate, baseline)


def _accuracy(gate: dict[str, Any], input_dict: Artifacts) -> list[Bound]:
    """Returns the bounds on what was measured."""
    folder = artifact_utils.get_single_uri(input_dict["profile"])
    measured = profile.read(folder)
    names = measured.superclass_names
    bounds = verdict.read(
        artifact_utils.get_single_uri(input_dict["evaluation"]), rules(gate, "baseline"), names
    )
    if of_teacher := rules(gate, "teacher"):
        if "teacher_evaluation" not in input_dict:
            raise ConfigError(
                f"gate: found {', '.join(rule.name for rule in of_teacher)}, and the pipeline has "
                "no node that evaluates the teacher. Compile it with that bound set."
            )
        evaluation = artifact_utils.get_single_uri(input_dict["teacher_evaluation"])
        bounds += verdict.read(evaluation, of_teacher, names)
    bounds += budgets.budgets(gate, measured.networks["student"])
    with np.load(Path(folder) / ModelProfile.PREDICTIONS_NAME) as predictions:
        for subject in measured.networks:
            if subject.startswith("tflite"):
                bounds += budgets.accuracy(subject, rules(gate), predictions, names)
    return bounds


def _checks(candidate: Artifact, input_dict: Artifacts, push_directory: str) -> list[Bound]:
    """Returns the checks that are always made."""
    (infra,) = input_dict["infra_blessing"]
    return [
        checks.not_withdrawn(path_utils.serving_model_dir(candidate.uri), push_directory),
        checks.answers_as_in_memory(
            infra.get_int_custom_property("faults"), infra.get_string_custom_property("reason")
        ),
    ]


def _bless(blessing: Artifact, blessed: bool, candidate: Artifact, baseline: Artifact) -> None:
    for model, uri_key, id_key in [
        (
            candidate,
            constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY,
            constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY,
        ),
        (
            baseline,
            constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY,
            constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY,
        ),
    ]:
        blessing.set_string_custom_property(uri_key, model.uri)
        blessing.set_int_custom_property(id_key, model.id)
    file, value = (
        (constants.BLESSED_FILE_NAME, constants.BLESSED_VALUE)
        if blessed
        else (constants.NOT_BLESSED_FILE_NAME, constants.NOT_BLESSED_VALUE)
    )
    io_utils.write_string_file(str(Path(blessing.uri) / file), "")
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)
