"""The nodes that put the student into service, and write the run down."""

from typing import NamedTuple

from components.atomic_pusher.component import AtomicPusher
from components.model_report.component import ModelReport
from pipeline import fingerprint
from pipeline.graph.data import DataNodes
from pipeline.graph.judging import JudgingNodes
from pipeline.graph.training import Trained
from pipeline.plan import Plan


class ServiceNodes(NamedTuple):
    """In the order in which they run."""

    pusher: AtomicPusher
    report: ModelReport


def service_nodes(
    plan: Plan, data: DataNodes, trained: Trained, judging: JudgingNodes
) -> ServiceNodes:
    """Returns the nodes; the report is written of a refused student too."""
    decision = judging.gate.outputs["decision"]
    profile = judging.profiler.outputs["profile"]
    pusher = AtomicPusher(
        model=trained.student["model"],
        model_blessing=judging.gate.outputs["blessing"],
        decision=decision,
        run_record=data.run_record,
        summary=trained.student["summary"],
        profile=profile,
        lite=judging.lite,
        push_directory=str(plan.push_directory),
        observed_version=plan.observed_version,
        code_fingerprint=fingerprint.code("components.atomic_pusher.executor"),
    ).with_id("Pusher")
    report = ModelReport(
        run_record=data.run_record,
        examples=data.examples,
        schema=data.schema,
        teacher=trained.teacher["model"],
        teacher_run=trained.teacher.get("model_run"),
        baseline=judging.baseline,
        baseline_run=trained.baseline["model_run"],
        student=trained.student["model"],
        student_run=trained.student["model_run"],
        summary=trained.student["summary"],
        evaluation=judging.evaluator.outputs["evaluation"],
        profile=profile,
        decision=decision,
        pushed_model=pusher.outputs["pushed_model"],
        code_fingerprint=fingerprint.code("components.model_report.executor"),
    )
    return ServiceNodes(pusher, report)
