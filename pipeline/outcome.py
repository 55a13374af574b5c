"""What came out of a run, read from ML Metadata and the artifacts it points to."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow_model_analysis as tfma
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2

from components.artifacts import DistillationSummary, ReportPage
from kd_trainer import methods
from pipeline.gate import TOP1, TOP5
from pipeline.plan import Plan
from pipeline.store import sqlite


@dataclass(frozen=True)
class Row:
    """A network of the run, measured on the test split."""

    role: str
    network: str
    top1: float
    top5: float
    parameters: int | None


@dataclass(frozen=True)
class Bound:
    """A bound of the gate, and what was found."""

    metric: str
    value: float
    minimum: float
    passed: bool


@dataclass(frozen=True)
class Outcome:
    """The result of a run.

    Attributes:
      rows: teacher, baseline, student.
      bounds: what the gate looked at.
      baseline_reason: why the baseline is what it is.
      pushed_to: the version that holds the student; None if it was refused.
      report: the run's page.
    """

    rows: list[Row]
    bounds: list[Bound]
    baseline_reason: str
    pushed_to: str | None
    report: str


def outputs(plan: Plan, run_id: str) -> dict[str, dict[str, metadata_store_pb2.Artifact]]:
    """Returns the artifacts of a run, by node and output key, cached ones too.

    Args:
      plan: says where the metadata is.
      run_id: the pipeline run's id.
    """
    store = metadata_store.MetadataStore(sqlite(plan.metadata))
    run = store.get_context_by_type_and_name("pipeline_run", run_id)
    found: dict[str, dict[str, metadata_store_pb2.Artifact]] = {}
    prefix = f"{plan.config.name}."
    for execution in store.get_executions_by_context(run.id):
        (node,) = [
            context.name.removeprefix(prefix)
            for context in store.get_contexts_by_execution(execution.id)
            if context.type == "node"
        ]
        events = [
            event
            for event in store.get_events_by_execution_ids([execution.id])
            if event.type == metadata_store_pb2.Event.OUTPUT
        ]
        artifacts = store.get_artifacts_by_id([event.artifact_id for event in events])
        by_id = {artifact.id: artifact for artifact in artifacts}
        found[node] = {event.path.steps[0].key: by_id[event.artifact_id] for event in events}
    return found


def read(plan: Plan, run_id: str) -> Outcome:
    """Reads the outcome of a run that went through.

    Args:
      plan: the run.
      run_id: the pipeline run's id.
    """
    config, nodes = plan.config, outputs(plan, run_id)
    summary_dir = Path(nodes["DistillTrainer"]["summary"].uri)
    summary = json.loads((summary_dir / DistillationSummary.FILE_NAME).read_text())
    teacher, parameters = summary["test"]["teacher"], summary["parameters"]
    evaluation = nodes["Evaluator"]["evaluation"].uri
    student, baseline = _overall(evaluation, "candidate"), _overall(evaluation, "baseline")
    failed = _failed_bounds(evaluation)
    chosen = nodes["BaselineSelector"]["model"].custom_properties
    champion = chosen["champion_version"].string_value
    pushed = nodes["Pusher"]["pushed_model"].custom_properties
    small = config.student.label
    # DML may export the peer, which has the teacher's architecture.
    own = parameters["student"] == parameters["baseline"]
    exported = small if own else summary["networks"]["student"]
    return Outcome(
        rows=[
            Row(
                "teacher",
                config.teacher.label,
                teacher["top1"],
                teacher["top5"],
                parameters["teacher"],
            ),
            Row(
                "baseline",
                f"version {champion}" if champion else f"{small}, from scratch",
                baseline[TOP1],
                baseline[TOP5],
                # A champion's network is not known here: an earlier run chose it.
                None if champion else parameters["baseline"],
            ),
            Row(
                "student",
                f"{exported}, {methods.label(config.method)}",
                student[TOP1],
                student[TOP5],
                parameters["student"],
            ),
        ],
        bounds=[
            Bound(metric, value, minimum, known_by not in failed)
            for metric, value, minimum, known_by in [
                ("top-1 accuracy", student[TOP1], config.gate.min_accuracy, _VALUE),
                (
                    "top-1 minus the baseline's",
                    student[TOP1] - baseline[TOP1],
                    config.gate.min_change,
                    _CHANGE,
                ),
            ]
            if minimum is not None
        ],
        baseline_reason=chosen["reason"].string_value,
        pushed_to=pushed["pushed_destination"].string_value or None,
        report=str(Path(nodes["ModelReport"]["report"].uri) / ReportPage.FILE_NAME),
    )


# A bound is known by its metric and whether it is on the change against the baseline.
_VALUE, _CHANGE = (TOP1, False), (TOP1, True)


def _failed_bounds(evaluation: str) -> set[tuple[str, bool]]:
    result = tfma.load_validation_result(evaluation)
    return {
        (failure.metric_key.name, failure.metric_key.is_diff)
        for validation in result.metric_validations_per_slice
        for failure in validation.failures
    }


def _overall(evaluation: str, model_name: str) -> dict[str, float]:
    result: Any = tfma.load_eval_result(evaluation, model_name=model_name)
    metrics = result.get_metrics_for_slice()
    return {name: metrics[name]["doubleValue"] for name in (TOP1, TOP5)}
