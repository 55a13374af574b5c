"""The GateEvaluator component."""

from typing import Literal

from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import BaseChannel, Channel, component_spec, standard_artifacts

from components.gate_evaluator.executor import Executor


class GateEvaluatorSpec(component_spec.ComponentSpec):
    """Inputs, outputs and exec properties of `GateEvaluator`."""

    PARAMETERS = {
        "gate": component_spec.ExecutionParameter(type=str),
        "reference": component_spec.ExecutionParameter(type=str),
        "code_fingerprint": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "model": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "baseline_model": component_spec.ChannelParameter(type=standard_artifacts.Model),
    }
    OUTPUTS = {
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "blessing": component_spec.ChannelParameter(type=standard_artifacts.ModelBlessing),
    }


class GateEvaluator(base_beam_component.BaseBeamComponent):
    """TFX's Evaluator, with thresholds that are made of the gate's bounds when it runs.

    So a cluster can be given the bounds as a parameter of a compiled pipeline: in TFX's own
    component the thresholds are part of what is compiled.

    Outputs:
      evaluation: `standard_artifacts.ModelEvaluation`, as TFX's Evaluator writes it.
      blessing: `standard_artifacts.ModelBlessing`, TFMA's; that of the StudentGate decides.
    """

    SPEC_CLASS = GateEvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        examples: BaseChannel,
        model: BaseChannel,
        baseline_model: BaseChannel,
        gate: str,
        reference: Literal["baseline", "teacher"],
        code_fingerprint: str,
    ):
        """Constructs the component.

        Args:
          examples: `standard_artifacts.Examples` with the split `test`.
          model: `standard_artifacts.Model`, the student.
          baseline_model: `standard_artifacts.Model` that it is compared with.
          gate: the bounds, as `gate_bounds.read` takes them.
          reference: what `baseline_model` is, for its part of the bounds.
          code_fingerprint: a hash of the code; a new one makes TFX's cache miss.
        """
        super().__init__(
            GateEvaluatorSpec(
                examples=examples,
                model=model,
                baseline_model=baseline_model,
                gate=gate,
                reference=reference,
                code_fingerprint=code_fingerprint,
                evaluation=Channel(type=standard_artifacts.ModelEvaluation),
                blessing=Channel(type=standard_artifacts.ModelBlessing),
            )
        )
