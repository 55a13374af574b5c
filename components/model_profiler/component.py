"""The ModelProfiler component."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, component_spec, standard_artifacts

from components.artifacts import LiteModels, ModelProfile
from components.model_profiler.executor import Executor


class ModelProfilerSpec(component_spec.ComponentSpec):
    """Inputs, outputs and exec properties of `ModelProfiler`."""

    PARAMETERS = {"code_fingerprint": component_spec.ExecutionParameter(type=str)}
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "teacher": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "baseline": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "student": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "lite": component_spec.ChannelParameter(type=LiteModels, optional=True),
    }
    OUTPUTS = {"profile": component_spec.ChannelParameter(type=ModelProfile)}


class ModelProfiler(base_component.BaseComponent):
    """Measures accuracy, calibration, size, speed and agreement of the run's networks on `test`.

    Outputs:
      profile: `components.ModelProfile`, with `profile.json` and `predictions.npz`.
    """

    SPEC_CLASS = ModelProfilerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        examples: BaseChannel,
        teacher: BaseChannel,
        baseline: BaseChannel,
        student: BaseChannel,
        code_fingerprint: str,
        lite: BaseChannel | None = None,
    ):
        """Constructs the component.

        Args:
          examples: `standard_artifacts.Examples` with the split `test`.
          teacher: `standard_artifacts.Model`, what the others are compared with.
          baseline: `standard_artifacts.Model`.
          student: `standard_artifacts.Model`.
          code_fingerprint: a hash of the code; a new one makes TFX's cache miss.
          lite: `components.LiteModels`, the student as TFLite.
        """
        spec = ModelProfilerSpec(
            examples=examples,
            teacher=teacher,
            baseline=baseline,
            student=student,
            lite=lite,
            code_fingerprint=code_fingerprint,
            profile=Channel(type=ModelProfile),
        )
        super().__init__(spec=spec)
