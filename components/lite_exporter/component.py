"""The LiteExporter component."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, component_spec, standard_artifacts

from components.artifacts import LiteModels
from components.lite_exporter.executor import Executor


class LiteExporterSpec(component_spec.ComponentSpec):
    """Inputs, outputs and exec properties of `LiteExporter`."""

    PARAMETERS = {"code_fingerprint": component_spec.ExecutionParameter(type=str)}
    INPUTS = {
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {"lite": component_spec.ChannelParameter(type=LiteModels)}


class LiteExporter(base_component.BaseComponent):
    """Converts a trained network to LiteRT (TFLite), float32 and int8.

    Outputs:
      lite: `LiteModels`, a file a precision; its custom properties `float32_bytes` and
        `int8_bytes` are their sizes.
    """

    SPEC_CLASS = LiteExporterSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, model: BaseChannel, examples: BaseChannel, code_fingerprint: str):
        """Constructs the component.

        Args:
          model: `standard_artifacts.Model` with `model.keras` beside its SavedModel.
          examples: `standard_artifacts.Examples`; int8 is calibrated on images of `eval`, or of
            `train` where there is no such split.
          code_fingerprint: a hash of the code; a new one makes TFX's cache miss.
        """
        spec = LiteExporterSpec(
            model=model,
            examples=examples,
            code_fingerprint=code_fingerprint,
            lite=Channel(type=LiteModels),
        )
        super().__init__(spec=spec)
