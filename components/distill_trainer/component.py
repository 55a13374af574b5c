"""The DistillTrainer component."""

import json
from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, component_spec, standard_artifacts

from components.artifacts import DistillationSummary, KeptTeacherOutputs
from components.distill_trainer.executor import Executor


class DistillTrainerSpec(component_spec.ComponentSpec):
    """Inputs, outputs and exec properties of `DistillTrainer`."""

    PARAMETERS = {
        "config": component_spec.ExecutionParameter(type=str),
        "method": component_spec.ExecutionParameter(type=str),
        "method_preset": component_spec.ExecutionParameter(type=str),
        "checkpoint_dir": component_spec.ExecutionParameter(type=str),
        "teacher_cache_dir": component_spec.ExecutionParameter(type=str),
        "teacher_cache_gigabytes": component_spec.ExecutionParameter(type=float),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "schema": component_spec.ChannelParameter(type=standard_artifacts.Schema),
        "teacher": component_spec.ChannelParameter(type=standard_artifacts.Model),
    }
    OUTPUTS = {
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_run": component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
        "summary": component_spec.ChannelParameter(type=DistillationSummary),
        "teacher_outputs": component_spec.ChannelParameter(type=KeptTeacherOutputs, optional=True),
    }


class DistillTrainer(base_component.BaseComponent):
    """Distils a teacher into a student by a method of `kd_trainer.methods`.

    Outputs:
      model: the student, `standard_artifacts.Model`: a SavedModel and `model.keras`.
      model_run: `standard_artifacts.ModelRun`: TensorBoard logs a stage and `history.json`.
      summary: `DistillationSummary`: `summary.json`.
      teacher_outputs: `KeptTeacherOutputs`: `outputs.json`; not there if none are kept.
    """

    SPEC_CLASS = DistillTrainerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        examples: BaseChannel,
        schema: BaseChannel,
        teacher: BaseChannel,
        config: Mapping[str, Any],
        method: str,
        method_preset: str,
        checkpoint_dir: str,
        teacher_cache_dir: str,
        teacher_cache_gigabytes: float,
        code_fingerprint: str,
    ):
        """Constructs the component.

        Args:
          examples: `standard_artifacts.Examples` with the splits `train`, `test` and, where there
            is one, `eval`.
          schema: `standard_artifacts.Schema`; the label's domain gives the number of classes.
          teacher: `standard_artifacts.Model` with `model.keras` beside its SavedModel.
          config: `student` (as `kd_trainer.networks.build` takes it), `recipe`, `seed`.
          method: as `kd_trainer.methods.chosen` takes it.
          method_preset: of the method, if not the one in `method`; else "".
          checkpoint_dir: where a killed training left its state, and this one keeps its own.
          teacher_cache_dir: where teachers' outputs are kept for trainings to come.
          teacher_cache_gigabytes: how much they may take; 0 keeps none.
          code_fingerprint: a hash of the code that trains; a new one makes TFX's cache miss.
        """
        kept = {"teacher_outputs": Channel(type=KeptTeacherOutputs)}
        spec = DistillTrainerSpec(
            examples=examples,
            schema=schema,
            teacher=teacher,
            config=json.dumps(config, sort_keys=True),
            method=method,
            method_preset=method_preset,
            checkpoint_dir=checkpoint_dir,
            teacher_cache_dir=teacher_cache_dir,
            teacher_cache_gigabytes=teacher_cache_gigabytes,
            code_fingerprint=code_fingerprint,
            model=Channel(type=standard_artifacts.Model),
            model_run=Channel(type=standard_artifacts.ModelRun),
            summary=Channel(type=DistillationSummary),
            **(kept if teacher_cache_gigabytes else {}),
        )
        super().__init__(spec=spec)
