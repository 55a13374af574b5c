"""The RunRecorder component."""

import json
from collections.abc import Mapping
from typing import Any

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import Channel, component_spec

from components.artifacts import RunRecord
from components.run_recorder.executor import Executor


class RunRecorderSpec(component_spec.ComponentSpec):
    """Output and exec property of `RunRecorder`."""

    PARAMETERS = {"run": component_spec.ExecutionParameter(type=str)}
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

    def __init__(self, run: Mapping[str, Any]):
        """Constructs the component.

        Args:
          run: `command`, `config`, `code` and `environment`, see README.md.
        """
        super().__init__(
            spec=RunRecorderSpec(run=json.dumps(run), run_record=Channel(type=RunRecord))
        )
