"""The AtomicPusher component."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, component_spec, standard_artifacts

from components.artifacts import (
    DistillationSummary,
    GateDecision,
    LiteModels,
    ModelProfile,
    RunRecord,
)
from components.atomic_pusher.executor import Executor


class AtomicPusherSpec(component_spec.ComponentSpec):
    """Inputs, outputs and exec properties of `AtomicPusher`."""

    PARAMETERS = {
        "push_directory": component_spec.ExecutionParameter(type=str),
        "observed_version": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "model_blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
        "decision": component_spec.ChannelParameter(type=GateDecision),
        "run_record": component_spec.ChannelParameter(type=RunRecord),
        "summary": component_spec.ChannelParameter(type=DistillationSummary),
        "profile": component_spec.ChannelParameter(type=ModelProfile),
        "lite": component_spec.ChannelParameter(type=LiteModels, optional=True),
    }
    OUTPUTS = {"pushed_model": component_spec.ChannelParameter(type=standard_artifacts.PushedModel)}


class AtomicPusher(base_component.BaseComponent):
    """Pushes a blessed model with its model card, never showing a reader a partial version.

    Outputs:
      pushed_model: `standard_artifacts.PushedModel`, a copy of the version; its custom properties
        are those of TFX's Pusher, `pushed`, `pushed_destination` and `pushed_version`, and
        `rebaselined_over`, the version in service that comparisons were set aside for, or "";
        where another run pushed meanwhile `pushed` is 0 and `reason` says so.
    """

    SPEC_CLASS = AtomicPusherSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: BaseChannel,
        model_blessing: BaseChannel,
        decision: BaseChannel,
        run_record: BaseChannel,
        summary: BaseChannel,
        profile: BaseChannel,
        push_directory: str,
        observed_version: str,
        code_fingerprint: str,
        lite: BaseChannel | None = None,
    ):
        """Constructs the component.

        Args:
          model: `standard_artifacts.Model`, the student.
          model_blessing: `standard_artifacts.ModelBlessing`; without it nothing is pushed.
          decision: `components.GateDecision`: what was in service then, and for the model card.
          run_record: `components.RunRecord`, for the model card.
          summary: `components.DistillationSummary` of the student, for the model card.
          profile: `components.ModelProfile`, for the model card.
          push_directory: where versions are pushed to.
          observed_version: `serving_versions.observed` when the run was launched; not read, it
            makes TFX's cache miss when a version has been pushed or withdrawn.
          code_fingerprint: a hash of the code; a new one makes TFX's cache miss.
          lite: `components.LiteModels`, pushed beside the SavedModel.
        """
        spec = AtomicPusherSpec(
            model=model,
            model_blessing=model_blessing,
            decision=decision,
            run_record=run_record,
            summary=summary,
            profile=profile,
            lite=lite,
            push_directory=push_directory,
            observed_version=observed_version,
            code_fingerprint=code_fingerprint,
            pushed_model=Channel(type=standard_artifacts.PushedModel),
        )
        super().__init__(spec=spec)
