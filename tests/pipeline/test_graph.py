"""The graph compiles for both places it runs in."""

import re

import pytest
from tfx.types import standard_artifacts

from components.cifar100_example_gen.sample import SAMPLE
from pipeline import config, graph, plan


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("workdir")
    return plan.make(config.load("quick"), workdir, str(SAMPLE))


def test_upstream_nodes(quick):
    nodes = {node.id: node for node in graph.create_pipeline(quick).components}
    upstream = {name: {other.id for other in node.upstream_nodes} for name, node in nodes.items()}
    # No training before the data is found to be in order.
    assert "AnomalyGate" in upstream["Trainer.teacher"] & upstream["Trainer.baseline"]
    assert "Trainer.teacher" in upstream["DistillTrainer"]
    assert {"DistillTrainer", "BaselineSelector"} <= upstream["Evaluator"]
    assert {"Evaluator", "ModelProfiler", "BaselineSelector"} <= upstream["StudentGate"]
    assert "StudentGate" in upstream["Pusher"]
    assert "Evaluator" not in upstream["Pusher"]  # one blessing decides
    assert "Evaluator.teacher" not in nodes


def test_the_teacher_is_evaluated_where_a_bound_is_on_it(tmp_path):
    run = config.load("quick", ["gate.min_teacher_share=0.9"])
    pipeline = graph.create_pipeline(plan.make(run, tmp_path, str(SAMPLE)))
    nodes = {node.id: node for node in pipeline.components}
    names = {other.id for other in nodes["StudentGate"].upstream_nodes}
    assert {"Evaluator", "Evaluator.teacher"} <= names
    assert "Trainer.teacher" in {o.id for o in nodes["Evaluator.teacher"].upstream_nodes}


def test_nothing_starts_before_the_run_is_recorded(quick):
    nodes = {node.id: node for node in graph.create_pipeline(quick).components}
    first = [name for name, node in nodes.items() if not node.upstream_nodes]
    assert first == ["RunRecorder"]


def test_lineage_knows_our_artifacts_by_their_types_and_files():
    from components import artifacts
    from pipeline import lineage, pushes

    ours = [artifacts.DistillationSummary, artifacts.ModelProfile, artifacts.GateDecision]
    assert {each.TYPE_NAME: each.FILE_NAME for each in ours} == lineage.FILES
    assert artifacts.RunRecord.TYPE_NAME == lineage.RUN_RECORD
    assert standard_artifacts.PushedModel.TYPE_NAME == pushes.PUSHED_MODEL


def test_it_leaves_no_trace(quick):
    graph.create_pipeline(quick)
    assert not list(quick.workdir.iterdir())


def test_our_artifact_type_is_found_by_its_name():
    import components
    from components.artifacts import DistillationSummary

    assert components.DistillationSummary is DistillationSummary
    assert re.match(
        r"^[a-z][a-z0-9-_]{2,20}[.][A-Z][a-zA-Z0-9-_]{2,49}$", DistillationSummary.TYPE_NAME
    )
