"""The nodes that measure the student, and decide."""

from typing import NamedTuple

from tfx.types import BaseChannel

from components.baseline_selector.component import BaselineSelector
from components.gate_evaluator.component import GateEvaluator
from components.lite_exporter.component import LiteExporter
from components.model_checker.component import ModelChecker
from components.model_profiler.component import ModelProfiler
from components.student_gate.component import StudentGate
from pipeline import fingerprint
from pipeline.graph.data import DataNodes
from pipeline.graph.training import Trained
from pipeline.plan import Plan


class JudgingNodes(NamedTuple):
    """In the order in which they run; what was not asked for is None."""

    selector: BaselineSelector
    evaluator: GateEvaluator
    teacher_evaluator: GateEvaluator | None
    lite_exporter: LiteExporter | None
    checker: ModelChecker
    profiler: ModelProfiler
    gate: StudentGate

    @property
    def baseline(self) -> BaseChannel:
        """The model that the student is compared with."""
        return self.selector.outputs["model"]

    @property
    def lite(self) -> BaseChannel | None:
        """The student as TFLite files."""
        return self.lite_exporter.outputs["lite"] if self.lite_exporter else None


def judging_nodes(plan: Plan, data: DataNodes, trained: Trained) -> JudgingNodes:
    """Returns the nodes; the one blessing is that of `gate`."""
    config = plan.config
    selector = BaselineSelector(
        from_scratch=trained.baseline["model"],
        candidate=trained.student["model"],
        policy=plan.inputs["baseline"],
        push_directory=str(plan.push_directory),
        observed_version=plan.observed_version,
        code_fingerprint=fingerprint.code("components.baseline_selector.executor"),
    )
    baseline, teacher = selector.outputs["model"], trained.teacher["model"]
    evaluator_code = fingerprint.code("components.gate_evaluator.executor")
    evaluator = GateEvaluator(
        examples=data.examples,
        model=trained.student["model"],
        baseline_model=baseline,
        gate=plan.inputs["gate"],
        reference="baseline",
        code_fingerprint=evaluator_code,
    ).with_id("Evaluator")
    teacher_evaluator = None
    if config.gate.min_teacher_share is not None:
        teacher_evaluator = GateEvaluator(
            examples=data.examples,
            model=trained.student["model"],
            baseline_model=teacher,
            gate=plan.inputs["gate"],
            reference="teacher",
            code_fingerprint=evaluator_code,
        ).with_id("Evaluator.teacher")
    lite_exporter = None
    if "tflite" in config.push.formats:
        lite_exporter = LiteExporter(
            model=trained.student["model"],
            examples=data.examples,
            code_fingerprint=fingerprint.code("components.lite_exporter.executor"),
        )
    checker = ModelChecker(
        model=trained.student["model"],
        examples=data.examples,
        code_fingerprint=fingerprint.code("components.model_checker.executor"),
    )
    profiler = ModelProfiler(
        examples=data.examples,
        teacher=teacher,
        baseline=baseline,
        student=trained.student["model"],
        lite=lite_exporter and lite_exporter.outputs["lite"],
        code_fingerprint=fingerprint.code("components.model_profiler.executor"),
    )
    student_gate = StudentGate(
        evaluation=evaluator.outputs["evaluation"],
        teacher_evaluation=teacher_evaluator and teacher_evaluator.outputs["evaluation"],
        profile=profiler.outputs["profile"],
        infra_blessing=checker.outputs["blessing"],
        baseline=baseline,
        candidate=trained.student["model"],
        gate=plan.inputs["gate"],
        push_directory=str(plan.push_directory),
        observed_version=plan.observed_version,
        code_fingerprint=fingerprint.code("components.student_gate.executor"),
    )
    return JudgingNodes(
        selector, evaluator, teacher_evaluator, lite_exporter, checker, profiler, student_gate
    )
