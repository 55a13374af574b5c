"""The ClassroomTrainer component."""

import json
from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, component_spec, standard_artifacts

from components.artifacts import DistillationSummary
from components.classroom_trainer.executor import Executor

_OUTPUTS = {
    "model": standard_artifacts.Model,
    "model_run": standard_artifacts.ModelRun,
    "summary": DistillationSummary,
}


class ClassroomTrainerSpec(component_spec.ComponentSpec):
    """Inputs and exec properties of `ClassroomTrainer`; the outputs depend on the students."""

    PARAMETERS = {
        "config": component_spec.ExecutionParameter(type=str),
        "students": component_spec.ExecutionParameter(type=str),
        "checkpoint_dir": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "schema": component_spec.ChannelParameter(type=standard_artifacts.Schema),
        "teacher": component_spec.ChannelParameter(type=standard_artifacts.Model),
    }
    OUTPUTS: dict[str, Any] = {}


class ClassroomTrainer(base_component.BaseComponent):
    """Distils a teacher into several students at once, with one pass of the teacher a batch.

    Outputs, of each student: `<student>_model`, `<student>_model_run`, `<student>_summary`, as
    `DistillTrainer` has them.
    """

    SPEC_CLASS = ClassroomTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        examples: BaseChannel,
        schema: BaseChannel,
        teacher: BaseChannel,
        config: Mapping[str, Any],
        students: Mapping[str, Mapping[str, Any]],
        checkpoint_dir: str,
    ):
        """Constructs the component.

        Args:
          examples: `standard_artifacts.Examples` with the splits `train`, `test` and, where there
            is one, `eval`.
          schema: `standard_artifacts.Schema`; the label's domain gives the number of classes.
          teacher: `standard_artifacts.Model` with `model.keras` beside its SavedModel.
          config: `student` (as `kd_trainer.networks.build` takes it), `recipe`, `seed`: of all.
          students: by name, `method`, resolved, as `kd_trainer.methods.create` takes it, and
            `code_fingerprint`, a hash of the code that trains this one; a new one makes TFX's cache
            miss.
          checkpoint_dir: where killed trainings left their states, and these keep their own.
        """
        types = {f"{name}_{key}": kind for name in students for key, kind in _OUTPUTS.items()}
        outputs = {key: component_spec.ChannelParameter(type=kind) for key, kind in types.items()}
        spec = type("ClassroomTrainerSpec", (ClassroomTrainerSpec,), {"OUTPUTS": outputs})
        super().__init__(
            spec=spec(
                examples=examples,
                schema=schema,
                teacher=teacher,
                config=json.dumps(config, sort_keys=True),
                students=json.dumps(students, sort_keys=True),
                checkpoint_dir=checkpoint_dir,
                **{key: Channel(type=kind) for key, kind in types.items()},
            )
        )
