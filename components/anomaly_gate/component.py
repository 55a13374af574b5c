"""The AnomalyGate component."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, component_spec, standard_artifacts

from components.anomaly_gate.executor import Executor


class AnomalyGateSpec(component_spec.ComponentSpec):
    """Inputs of `AnomalyGate`; it has no outputs."""

    PARAMETERS = {"code_fingerprint": component_spec.ExecutionParameter(type=str)}
    INPUTS = {
        "anomalies": component_spec.ChannelParameter(type=standard_artifacts.ExampleAnomalies)
    }
    OUTPUTS: dict = {}


class AnomalyGate(base_component.BaseComponent):
    """Fails if ExampleValidator found anomalies, which by itself only writes them down.

    Make the nodes that train depend on it with `add_upstream_node`. The anomalies stay in ML
    Metadata, because the node that fails is not the one that found them.
    """

    SPEC_CLASS = AnomalyGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, anomalies: BaseChannel, code_fingerprint: str):
        """Constructs the component.

        Args:
          anomalies: `standard_artifacts.ExampleAnomalies`.
          code_fingerprint: a hash of the code; a new one makes TFX's cache miss.
        """
        spec = AnomalyGateSpec(anomalies=anomalies, code_fingerprint=code_fingerprint)
        super().__init__(spec=spec)
