"""The BaselineSelector component."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, component_spec, standard_artifacts

from components.baseline_selector.executor import Executor


class BaselineSelectorSpec(component_spec.ComponentSpec):
    """Inputs, outputs and exec properties of `BaselineSelector`."""

    PARAMETERS = {
        "policy": component_spec.ExecutionParameter(type=str),
        "push_directory": component_spec.ExecutionParameter(type=str),
        "observed_version": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "from_scratch": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "candidate": component_spec.ChannelParameter(type=standard_artifacts.Model),
    }
    OUTPUTS = {"model": component_spec.ChannelParameter(type=standard_artifacts.Model)}


class BaselineSelector(base_component.BaseComponent):
    """Chooses the baseline: the champion in service or the student trained from scratch.

    It does what TFX's Resolver does, as an ordinary node, because Kubeflow refuses Resolvers.

    Outputs:
      model: `standard_artifacts.Model`, a copy of the chosen SavedModel; its custom properties
        `choice` (`champion` or `from_scratch`), `reason` and `champion_version` say which and why,
        and `in_service` is the newest pushed version, whatever was chosen.
    """

    SPEC_CLASS = BaselineSelectorSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        from_scratch: BaseChannel,
        candidate: BaseChannel,
        policy: str,
        push_directory: str,
        observed_version: str,
        code_fingerprint: str,
    ):
        """Constructs the component.

        Args:
          from_scratch: `standard_artifacts.Model`, the student trained without a teacher.
          candidate: `standard_artifacts.Model`, the student to be judged; a version that holds
            the very same model is no champion for it.
          policy: `champion`, the newest pushed version where there is one, or `from_scratch`.
          push_directory: where versions are pushed to.
          observed_version: the newest version when the run was launched, "" for none; not read,
            it makes TFX's cache miss when another one has been pushed.
          code_fingerprint: a hash of the code; a new one makes TFX's cache miss.
        """
        spec = BaselineSelectorSpec(
            from_scratch=from_scratch,
            candidate=candidate,
            policy=policy,
            push_directory=push_directory,
            observed_version=observed_version,
            code_fingerprint=code_fingerprint,
            model=Channel(type=standard_artifacts.Model),
        )
        super().__init__(spec=spec)
