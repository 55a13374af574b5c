"""The nodes of a comparison: one teacher, and a student of each method and seed."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from tfx.dsl.components.base.base_node import BaseNode
from tfx.orchestration.pipeline import Pipeline
from tfx.types import BaseChannel

from components.best_student.component import BestStudent
from components.classroom_trainer.component import ClassroomTrainer
from components.gate_evaluator.component import GateEvaluator
from components.leaderboard.component import Leaderboard
from components.leaderboard.trials import BASELINE, TEACHER
from components.trial_collector.component import Measured, TrialCollector
from kd_trainer import methods, networks
from pipeline import fingerprint, published
from pipeline.comparison import ComparisonPlan
from pipeline.graph.data import DataNodes, data_nodes
from pipeline.graph.judging import judging_nodes
from pipeline.graph.service import service_nodes
from pipeline.graph.training import (
    Outputs,
    Trained,
    baseline_node,
    distill_node,
    student_config,
    teacher_node,
)


def create_comparison(plan: ComparisonPlan) -> Pipeline:
    """Chains the components of a comparison; the table is the output of `Leaderboard`."""
    data = data_nodes(plan.run)
    teacher = teacher_node(plan.run, data)
    nodes: list[BaseNode] = [*(node for node in data if node is not None), teacher]
    outputs: dict[str, Outputs] = {}
    collected: list[BaseChannel] = []
    for trial in range(plan.settings.trials):
        measured: dict[str, Measured] = {}
        for key, described, trained in _trial(plan, data, teacher, trial, nodes):
            evaluator = _evaluator(plan, data, key, trained["model"])
            nodes.append(evaluator)
            outputs[key] = trained
            measured[key] = Measured(
                **described,
                evaluation=evaluator.outputs["evaluation"],
                model_run=trained.get("model_run"),
            )
        collector = TrialCollector(
            networks=measured,
            code_fingerprint=fingerprint.code("components.trial_collector.executor"),
        ).with_id(f"TrialCollector.{trial}")
        nodes.append(collector)
        collected.append(collector.outputs["trials"])
    figures = published.figures(plan.run)
    board = Leaderboard(
        trials=collected,
        published_source=figures.source if figures else "",
        code_fingerprint=fingerprint.code("components.leaderboard.executor"),
    )
    nodes.append(board)
    if plan.settings.push_best:
        nodes += _into_service(plan, data, teacher, board, outputs)
    return Pipeline(
        pipeline_name=plan.name,
        pipeline_root=plan.run.pipeline_root(plan.name),
        metadata_connection_config=plan.run.metadata,
        components=nodes,
        enable_cache=True,
        beam_pipeline_args=plan.run.config.beam.arguments,
    )


def _trial(
    plan: ComparisonPlan, data: DataNodes, teacher: BaseNode, trial: int, nodes: list[BaseNode]
) -> Iterator[tuple[str, dict[str, Any], Outputs]]:
    """Adds what trains the networks of a seed; yields the key, description, outputs of each."""
    run, seed = plan.run, plan.run.config.seed + trial
    if not trial:
        label, original = run.config.teacher.label, published.accuracy(run, TEACHER)
        yield TEACHER, _described(TEACHER, label, run.config.seed, original), teacher.outputs
    baseline = baseline_node(run, data, f"Trainer.{BASELINE}.{trial}", seed)
    nodes.append(baseline)
    label, original = run.config.student.label, published.accuracy(run, BASELINE)
    yield f"{BASELINE}_{trial}", _described(BASELINE, label, seed, original), baseline.outputs
    together = plan.together
    if together:
        classroom = ClassroomTrainer(
            examples=data.examples,
            schema=data.schema,
            teacher=teacher.outputs["model"],
            config=student_config(run, seed),
            students={
                row: {
                    "method": spec,
                    "code_fingerprint": fingerprint.code(
                        "components.classroom_trainer.executor",
                        networks.module(run.student),
                        *methods.modules(spec),
                    ),
                }
                for row, spec in together.items()
            },
            checkpoint_dir=run.checkpoint_dir(f"ClassroomTrainer.{trial}"),
        ).with_id(f"ClassroomTrainer.{trial}")
        classroom.add_upstream_node(data.anomaly_gate)
        nodes.append(classroom)
    for row, spec in plan.rows.items():
        if row in together:
            keys = ("model", "model_run", "summary")
            trained = {key: classroom.outputs[f"{row}_{key}"] for key in keys}
        else:
            node = distill_node(
                teacher,
                run,
                data,
                f"DistillTrainer.{row}.{trial}",
                json.dumps(spec),
                "",
                methods.modules(spec),
                seed,
            )
            nodes.append(node)
            trained = node.outputs
        original = published.accuracy_of_method(run, spec)
        yield f"{row}_{trial}", _described(row, methods.label(spec), seed, original), trained


def _into_service(
    plan: ComparisonPlan,
    data: DataNodes,
    teacher: BaseNode,
    board: Leaderboard,
    outputs: Mapping[str, Outputs],
) -> list[BaseNode]:
    """Returns what sends the best student through the gate of a run.

    The best method's student of each seed is chosen first, for the reason that `TrialCollector`
    names.
    """

    def best_of(students: Mapping[str, Outputs], rows: Mapping[str, str | None]) -> BestStudent:
        return BestStudent(
            table=board.outputs["table"],
            students=students,
            rows=rows,
            code_fingerprint=fingerprint.code("components.best_student.executor"),
        )

    of_seeds = []
    for trial in range(plan.settings.trials):
        rows = {f"{row}_{trial}": row for row in plan.rows}
        of_seed = best_of({key: outputs[key] for key in rows}, rows)
        of_seeds.append(of_seed.with_id(f"BestStudent.{trial}"))
    chosen = {f"seed_{number}": node.outputs for number, node in enumerate(of_seeds)}
    best = best_of(chosen, dict.fromkeys(chosen))
    baseline = outputs[f"{BASELINE}_0"]
    trained = Trained(teacher.outputs, baseline, best.outputs)
    judging = judging_nodes(plan.run, data, trained)
    service = service_nodes(plan.run, data, trained, judging)
    return [*of_seeds, best, *(node for node in (*judging, *service) if node is not None)]


def _described(row: str, label: str, seed: int, original: float | None) -> dict[str, Any]:
    return {"row": row, "label": label, "seed": seed, "published": original}


def _evaluator(
    plan: ComparisonPlan, data: DataNodes, key: str, model: BaseChannel
) -> GateEvaluator:
    """Returns what measures a network; compared with itself, for a bound that lets all by."""
    return GateEvaluator(
        examples=data.examples,
        model=model,
        baseline_model=model,
        gate='{"min_accuracy": 0}',
        reference="baseline",
        code_fingerprint=fingerprint.code("components.gate_evaluator.executor"),
    ).with_id(f"TrialEvaluator.{key}")
