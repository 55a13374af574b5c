"""What came out of a run, read from ML Metadata and the artifacts it points to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml_metadata import metadata_store

from components import decision, profile
from components.artifacts import DistillationSummary, KeptTeacherOutputs, ReportPage
from components.decision import Decision
from kd_trainer import methods
from kd_trainer.teacher_use import Use
from pipeline import published
from pipeline.history import Artifact, History
from pipeline.plan import Plan


@dataclass(frozen=True)
class Row:
    """A network of the run, measured on the test split; `published` is the literature's top-1."""

    role: str
    network: str
    top1: float
    top5: float
    parameters: int | None
    published: float | None = None


@dataclass(frozen=True)
class Outcome:
    """The result of a run.

    Attributes:
      rows: teacher, baseline, student, and the student as TFLite where that was made.
      decision: the gate's.
      pushed_to: the version that holds the student; None if nothing was pushed.
      overtaken: why a blessed student was not pushed; empty otherwise.
      report: the run's page.
      teacher_outputs: what the training had of kept ones; empty where none are kept.
      published_source: where the rows' published figures stand; empty if there are none.
    """

    rows: list[Row]
    decision: Decision
    pushed_to: str | None
    overtaken: str
    report: str
    teacher_outputs: list[Use]
    published_source: str = ""


def read(plan: Plan, run_id: str, student_node: str = "DistillTrainer") -> Outcome:
    """Reads the outcome of a run that went through.

    Args:
      plan: the run.
      run_id: the pipeline run's id.
      student_node: the node whose student the gate has judged.
    """
    run = History(metadata_store.MetadataStore(plan.metadata)).named(run_id)
    nodes = {node.id: node.outputs for node in run.nodes}
    measured = profile.read(nodes["ModelProfiler"]["profile"].uri)
    made = decision.read(nodes["StudentGate"]["decision"].uri)
    summary_dir = Path(nodes[student_node]["summary"].uri)
    summary = json.loads((summary_dir / DistillationSummary.FILE_NAME).read_text(encoding="utf-8"))
    labels = _labels(plan, made.champion_version, summary)
    original = _published(plan, made.champion_version, summary)
    figures = published.figures(plan)
    pushed = nodes["Pusher"]["pushed_model"].properties
    return Outcome(
        rows=[
            Row(
                role,
                labels.get(role, labels["student"]),
                network.top1,
                network.top5,
                network.parameters,
                original.get(role),
            )
            for role, network in measured.networks.items()
        ],
        decision=made,
        pushed_to=pushed.get("pushed_destination") or None,
        overtaken=pushed.get("reason", ""),
        report=str(Path(nodes["ModelReport"]["report"].uri) / ReportPage.FILE_NAME),
        teacher_outputs=_uses(nodes[student_node].get("teacher_outputs")),
        published_source=figures.source if figures else "",
    )


def _published(
    plan: Plan, champion_version: str, summary: Mapping[str, Any]
) -> dict[str, float | None]:
    """Returns the literature's accuracy by role; a champion has none."""
    return {
        "teacher": published.accuracy(plan, "teacher"),
        "baseline": None if champion_version else published.accuracy(plan, "baseline"),
        "student": published.accuracy_of_method(plan, summary["method"]),
    }


def _uses(artifact: Artifact | None) -> list[Use]:
    if artifact is None:
        return []
    document = (Path(artifact.uri) / KeptTeacherOutputs.FILE_NAME).read_text(encoding="utf-8")
    return [Use.model_validate(use) for use in json.loads(document)]


def _labels(plan: Plan, champion_version: str, summary: Mapping[str, Any]) -> dict[str, str]:
    """Returns what the networks are called, by role."""
    config = plan.config
    parameters, small = summary["parameters"], config.student.label
    # DML may export the peer, which has the teacher's architecture.
    own = parameters["student"] == parameters["baseline"]
    exported = small if own else summary["networks"]["student"]
    return {
        "teacher": config.teacher.label,
        "baseline": f"version {champion_version}" if champion_version else f"{small}, from scratch",
        "student": f"{exported}, {methods.label(summary['method'])}",
    }
