"""The BestStudent component."""

import json
from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, component_spec, standard_artifacts

from components.artifacts import ComparisonTable, DistillationSummary
from components.best_student.executor import PARTS, Executor

_TYPES = dict(
    zip(
        PARTS,
        (standard_artifacts.Model, standard_artifacts.ModelRun, DistillationSummary),
        strict=True,
    )
)


class BestStudentSpec(component_spec.ComponentSpec):
    """Outputs and exec properties of `BestStudent`; the inputs depend on the students."""

    PARAMETERS = {
        "rows": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: dict[str, Any] = {}
    OUTPUTS = {part: component_spec.ChannelParameter(type=kind) for part, kind in _TYPES.items()}


class BestStudent(base_component.BaseComponent):
    """Passes on what the best method of a comparison has trained.

    That is the method with the best mean on `test`; of its students it is the one with the best
    accuracy on `eval`, or the first where there is no such split.

    Outputs:
      model: `standard_artifacts.Model`, a copy of the student.
      model_run: `standard_artifacts.ModelRun`, a copy.
      summary: `DistillationSummary`, a copy.
    """

    SPEC_CLASS = BestStudentSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        table: BaseChannel,
        students: Mapping[str, Mapping[str, BaseChannel]],
        rows: Mapping[str, str | None],
        code_fingerprint: str,
    ):
        """Constructs the component.

        Args:
          table: `ComparisonTable`.
          students: `model`, `model_run` and `summary` of each, by a name of it.
          rows: the row of the table that each belongs to; None of one that another `BestStudent`
            has chosen by the same table.
          code_fingerprint: a hash of the code; a new one makes TFX's cache miss.
        """
        channels = {
            f"{key}_{part}": student[part] for key, student in students.items() for part in PARTS
        }
        inputs = {
            f"{key}_{part}": component_spec.ChannelParameter(type=kind)
            for key in students
            for part, kind in _TYPES.items()
        }
        inputs["table"] = component_spec.ChannelParameter(type=ComparisonTable)
        spec = type("BestStudentSpec", (BestStudentSpec,), {"INPUTS": inputs})
        super().__init__(
            spec=spec(
                table=table,
                rows=json.dumps(rows),
                code_fingerprint=code_fingerprint,
                **channels,
                **{part: Channel(type=kind) for part, kind in _TYPES.items()},
            )
        )
