"""The nodes that measure the student, and decide."""

from typing import NamedTuple

from tfx.components import Evaluator
from tfx.types import BaseChannel

from components.baseline_selector.component import BaselineSelector
from components.lite_exporter.component import LiteExporter
from components.model_checker.component import ModelChecker
from components.model_profiler.component import ModelProfiler
from components.serving_versions import observed
from components.student_gate.component import StudentGate
from pipeline import fingerprint, gate
from pipeline.graph.data import DataNodes
from pipeline.graph.training import TrainingNodes
from pipeline.plan import Plan


class JudgingNodes(NamedTuple):
    """In the order in which they run; what was not asked for is None."""

    selector: BaselineSelector
    evaluator: Evaluator
    teacher_evaluator: Evaluator | None
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


def judging_nodes(plan: Plan, data: DataNodes, training: TrainingNodes) -> JudgingNodes:
    """Returns the nodes; the one blessing is that of `gate`."""
    config = plan.config
    selector = BaselineSelector(
        from_scratch=training.baseline.outputs["model"],
        candidate=training.student,
        policy=config.gate.baseline,
        push_directory=str(plan.push_directory),
        # It makes the cache see that a version was pushed or withdrawn.
        observed_version=observed(str(plan.push_directory)),
        code_fingerprint=fingerprint.code("components.baseline_selector.executor"),
    )
    baseline, teacher = selector.outputs["model"], training.teacher.outputs["model"]
    evaluator = Evaluator(
        examples=data.examples,
        example_splits=["test"],
        model=training.student,
        baseline_model=baseline,
        eval_config=gate.eval_config(config.gate),
    )
    teacher_evaluator = None
    if teacher_eval_config := gate.teacher_eval_config(config.gate):
        teacher_evaluator = Evaluator(
            examples=data.examples,
            example_splits=["test"],
            model=training.student,
            baseline_model=teacher,
            eval_config=teacher_eval_config,
        ).with_id("Evaluator.teacher")
    lite_exporter = None
    if "tflite" in config.push.formats:
        lite_exporter = LiteExporter(
            model=training.student,
            examples=data.examples,
            code_fingerprint=fingerprint.code("components.lite_exporter.executor"),
        )
    checker = ModelChecker(
        model=training.student,
        examples=data.examples,
        code_fingerprint=fingerprint.code("components.model_checker.executor"),
    )
    profiler = ModelProfiler(
        examples=data.examples,
        teacher=teacher,
        baseline=baseline,
        student=training.student,
        lite=lite_exporter and lite_exporter.outputs["lite"],
        code_fingerprint=fingerprint.code("components.model_profiler.executor"),
    )
    student_gate = StudentGate(
        evaluation=evaluator.outputs["evaluation"],
        teacher_evaluation=teacher_evaluator and teacher_evaluator.outputs["evaluation"],
        profile=profiler.outputs["profile"],
        infra_blessing=checker.outputs["blessing"],
        baseline=baseline,
        candidate=training.student,
        gate=config.gate.model_dump_json(),
        push_directory=str(plan.push_directory),
        observed_version=observed(str(plan.push_directory)),
        code_fingerprint=fingerprint.code("components.student_gate.executor"),
    )
    return JudgingNodes(
        selector, evaluator, teacher_evaluator, lite_exporter, checker, profiler, student_gate
    )
