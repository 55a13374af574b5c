"""The DataProbe component."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import Channel, component_spec, standard_artifacts

from components.data_probe.executor import Executor


class DataProbeSpec(component_spec.ComponentSpec):
    """Output and exec properties of `DataProbe`."""

    PARAMETERS = {
        "source": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS: dict[str, component_spec.ChannelParameter] = {}
    OUTPUTS = {"fingerprint": component_spec.ChannelParameter(type=standard_artifacts.String)}


class DataProbe(base_component.BaseComponent):
    """Finds out when a pipeline runs what data it will read.

    Where a pipeline is compiled for a cluster the data is not there to look at. This node is never
    cached, and all that follows is, by what it found.

    Outputs:
      fingerprint: `standard_artifacts.String`, of images and labels.
    """

    SPEC_CLASS = DataProbeSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, source: str, code_fingerprint: str):
        """Constructs the component.

        Args:
          source: the path of the archive or folder, as for `Cifar100ExampleGen`.
          code_fingerprint: a hash of the code; a new one makes TFX's cache miss.
        """
        super().__init__(
            spec=DataProbeSpec(
                source=source,
                code_fingerprint=code_fingerprint,
                fingerprint=Channel(type=standard_artifacts.String),
            )
        )
