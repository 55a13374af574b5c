"""The ModelReport component."""

from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import BaseChannel, Channel, component_spec, standard_artifacts

from components.artifacts import (
    DistillationSummary,
    GateDecision,
    ModelProfile,
    ReportPage,
    RunRecord,
)
from components.model_report.executor import Executor


class ModelReportSpec(component_spec.ComponentSpec):
    """Inputs, outputs and exec properties of `ModelReport`."""

    PARAMETERS = {"code_fingerprint": component_spec.ExecutionParameter(type=str)}
    INPUTS = {
        "run_record": component_spec.ChannelParameter(type=RunRecord),
        "examples": component_spec.ChannelParameter(type=standard_artifacts.Examples),
        "schema": component_spec.ChannelParameter(type=standard_artifacts.Schema),
        "teacher": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "teacher_run": component_spec.ChannelParameter(
            type=standard_artifacts.ModelRun, optional=True
        ),
        "baseline": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "baseline_run": component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
        "student": component_spec.ChannelParameter(type=standard_artifacts.Model),
        "student_run": component_spec.ChannelParameter(type=standard_artifacts.ModelRun),
        "summary": component_spec.ChannelParameter(type=DistillationSummary),
        "evaluation": component_spec.ChannelParameter(type=standard_artifacts.ModelEvaluation),
        "profile": component_spec.ChannelParameter(type=ModelProfile),
        "decision": component_spec.ChannelParameter(type=GateDecision),
        "pushed_model": component_spec.ChannelParameter(type=standard_artifacts.PushedModel),
    }
    OUTPUTS = {"report": component_spec.ChannelParameter(type=ReportPage)}


class ModelReport(base_component.BaseComponent):
    """Writes a run down on one page that opens from disk, for the person who must decide.

    Outputs:
      report: `ReportPage`: `report.html`, which needs no other file, network or script.
    """

    SPEC_CLASS = ModelReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        run_record: BaseChannel,
        examples: BaseChannel,
        schema: BaseChannel,
        teacher: BaseChannel,
        baseline: BaseChannel,
        baseline_run: BaseChannel,
        student: BaseChannel,
        student_run: BaseChannel,
        summary: BaseChannel,
        evaluation: BaseChannel,
        profile: BaseChannel,
        decision: BaseChannel,
        pushed_model: BaseChannel,
        code_fingerprint: str,
        teacher_run: BaseChannel | None = None,
    ):
        """Constructs the component.

        Args:
          run_record: `RunRecord`.
          examples: `standard_artifacts.Examples` with the split `test`.
          schema: `standard_artifacts.Schema`.
          teacher: `standard_artifacts.Model`.
          baseline: `standard_artifacts.Model`, what the gate compared the student with.
          baseline_run: `standard_artifacts.ModelRun` of the student trained without a teacher.
          student: `standard_artifacts.Model`.
          student_run: `standard_artifacts.ModelRun` of the distillation.
          summary: `DistillationSummary`.
          evaluation: `standard_artifacts.ModelEvaluation`; not read, it stands in the lineage.
          profile: `ModelProfile` of these networks on these examples.
          decision: `GateDecision`.
          pushed_model: `standard_artifacts.PushedModel`.
          code_fingerprint: a hash of the code; a new one makes TFX's cache miss.
          teacher_run: `standard_artifacts.ModelRun`; none of a teacher that was imported.
        """
        spec = ModelReportSpec(
            run_record=run_record,
            examples=examples,
            schema=schema,
            teacher=teacher,
            teacher_run=teacher_run,
            baseline=baseline,
            baseline_run=baseline_run,
            student=student,
            student_run=student_run,
            summary=summary,
            evaluation=evaluation,
            profile=profile,
            decision=decision,
            pushed_model=pushed_model,
            code_fingerprint=code_fingerprint,
            report=Channel(type=ReportPage),
        )
        super().__init__(spec=spec)
