"""The RunRecorder component."""

import json
from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import Channel, component_spec

from components.artifacts import RunRecord
from components.run_recorder.executor import Executor


class RunRecorderSpec(component_spec.ComponentSpec):
    """Output and exec properties of `RunRecorder`."""

    PARAMETERS = {
        name: component_spec.ExecutionParameter(type=str)
        for name in ("run", "data_uri", "method", "method_preset", "gate", "baseline")
    }
    INPUTS: dict[str, component_spec.ChannelParameter] = {}
    OUTPUTS = {"run_record": component_spec.ChannelParameter(type=RunRecord)}


class RunRecorder(base_component.BaseComponent):
    """Keeps in ML Metadata what a run is, so that lineage can say it of each training.

    It needs no `code_fingerprint`: the record holds that of all our code.

    Outputs:
      run_record: `RunRecord`; its custom properties are `name`, the pipeline's, and `revision`.
    """

    SPEC_CLASS = RunRecorderSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        run: Mapping[str, Any],
        data_uri: str,
        method: str,
        method_preset: str,
        gate: str,
        baseline: str,
    ):
        """Constructs the component.

        Args:
          run: `command`, `config` and, where they are known, `code` and `environment`, see
            README.md.
          data_uri: the path of the data; this and the following are what the run's nodes are
            given, and stand in the record's `config` whatever `run` says.
          method: as `kd_trainer.methods.chosen` takes it.
          method_preset: as `kd_trainer.methods.chosen` takes it.
          gate: the gate's bounds, as `gate_bounds.read` takes them.
          baseline: `champion` or `from_scratch`.
        """
        super().__init__(
            spec=RunRecorderSpec(
                run=json.dumps(run),
                data_uri=data_uri,
                method=method,
                method_preset=method_preset,
                gate=gate,
                baseline=baseline,
                run_record=Channel(type=RunRecord),
            )
        )
