"""The ModelChecker component."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, component_spec, standard_artifacts

from components.model_checker.executor import Executor


class ModelCheckerSpec(component_spec.ComponentSpec):
    """Inputs, outputs and exec properties of `ModelChecker`."""

    PARAMETERS = {"code_fingerprint": component_spec.ExecutionParameter(type=str)}
    INPUTS = {
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
    }
    OUTPUTS = {"blessing": component_spec.ChannelParameter(type=standard_artifacts.InfraBlessing)}


class ModelChecker(base_component.BaseComponent):
    """Checks that an exported model answers in a clean process as it does in memory.

    TFX's InfraValidator asks a model server in a container; this asks TensorFlow in a process
    that has nothing else, and looks at the answers too.

    Outputs:
      blessing: `standard_artifacts.InfraBlessing` with the custom properties `blessed`, 1 or 0,
        `faults`, how many, `reason`, "" if there are none, and `max_difference` of a logit where
        there were logits.
    """

    SPEC_CLASS = ModelCheckerSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(self, model: BaseChannel, examples: BaseChannel, code_fingerprint: str):
        """Constructs the component.

        Args:
          model: `standard_artifacts.Model`, as `kd_trainer.export` writes it.
          examples: `standard_artifacts.Examples` with a `test` split.
          code_fingerprint: a hash of the code; a new one makes TFX's cache miss.
        """
        spec = ModelCheckerSpec(
            model=model,
            examples=examples,
            code_fingerprint=code_fingerprint,
            blessing=Channel(type=standard_artifacts.InfraBlessing),
        )
        super().__init__(spec=spec)
