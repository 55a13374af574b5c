"""The StudentGate component."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, component_spec, standard_artifacts

from components.artifacts import GateDecision, ModelProfile
from components.student_gate.executor import Executor


class StudentGateSpec(component_spec.ComponentSpec):
    """Inputs, outputs and exec properties of `StudentGate`."""

    PARAMETERS = {
        "gate": component_spec.ExecutionParameter(type=str),
        "push_directory": component_spec.ExecutionParameter(type=str),
        "observed_version": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "teacher_evaluation": component_spec.ChannelParameter(
            type=standard_artifacts.ModelEvaluation, optional=True
        ),
        "profile": component_spec.ChannelParameter(type=ModelProfile),
        "infra_blessing": component_spec.ChannelParameter(type=standard_artifacts.InfraBlessing),
        "baseline": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "candidate": component_spec.ChannelParameter(type=standard_artifacts.Model),
    }
    OUTPUTS = {
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
        "decision": component_spec.ChannelParameter(type=GateDecision),
    }


class StudentGate(base_component.BaseComponent):
    """Blesses a student if it passes every bound of the gate, TFMA's and the budgets.

    Outputs:
      blessing: `standard_artifacts.ModelBlessing`, as TFX's Evaluator gives it; this one decides.
      decision: `components.GateDecision`, every bound with what was found; its custom properties
        are `blessed`, 1 or 0, and `refused_by`, the keys of the bounds that refuse.
    """

    SPEC_CLASS = StudentGateSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        evaluation: BaseChannel,
        profile: BaseChannel,
        infra_blessing: BaseChannel,
        baseline: BaseChannel,
        candidate: BaseChannel,
        gate: str,
        push_directory: str,
        observed_version: str,
        code_fingerprint: str,
        teacher_evaluation: BaseChannel | None = None,
    ):
        """Constructs the component.

        Args:
          evaluation: `standard_artifacts.ModelEvaluation` of student and baseline, with the bounds
            as thresholds.
          profile: `components.ModelProfile`.
          infra_blessing: `standard_artifacts.InfraBlessing` of the ModelChecker.
          baseline: `standard_artifacts.Model` of the BaselineSelector.
          candidate: `standard_artifacts.Model`, the student.
          gate: the bounds, as `gate_bounds.read` takes them.
          push_directory: where versions are pushed to; what was withdrawn there is not blessed.
          observed_version: what was in service when the run was launched; not read, it makes TFX's
            cache miss when that has changed.
          code_fingerprint: a hash of the code; a new one makes TFX's cache miss.
          teacher_evaluation: `standard_artifacts.ModelEvaluation` of student and teacher; must be
            given where `min_teacher_share` is.
        """
        spec = StudentGateSpec(
            evaluation=evaluation,
            teacher_evaluation=teacher_evaluation,
            profile=profile,
            infra_blessing=infra_blessing,
            baseline=baseline,
            candidate=candidate,
            gate=gate,
            push_directory=push_directory,
            observed_version=observed_version,
            code_fingerprint=code_fingerprint,
            blessing=Channel(type=standard_artifacts.ModelBlessing),
            decision=Channel(type=GateDecision),
        )
        super().__init__(spec=spec)
