"""The command on a real store, filled as TFX fills it."""

import json

import pytest
from light_commands import heavy_modules
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from components import decision
from components.decision import Bound, Decision
from pipeline import cli
from pipeline.store import sqlite

pytestmark = pytest.mark.light


def made(value, **fields):
    bound = Bound(
        key="gate.min_accuracy",
        metric="top-1 accuracy",
        subject="student",
        slice="overall",
        value=value,
        bound=0.6,
        is_minimum=True,
        unit="share",
        passed=value >= 0.6,
        judge="TFMA",
    )
    document = {
        "blessed": bound.passed,
        "rebaseline": False,
        "baseline": "from_scratch",
        "champion_version": "",
        "in_service": "",
        "baseline_reason": "no other model has been pushed yet",
        "bounds": [bound],
    }
    return Decision(**{**document, **fields})


class Metadata:
    """Records runs."""

    def __init__(self, workdir):
        self.workdir = workdir
        self.store = metadata_store.MetadataStore(sqlite(workdir / "metadata.sqlite"))
        self.types = {
            name: self.store.put_context_type(mlmd.ContextType(name=name))
            for name in ("pipeline", "pipeline_run", "node")
        }
        self.gate = self.store.put_execution_type(mlmd.ExecutionType(name="StudentGate"))
        self.written = self.store.put_artifact_type(
            mlmd.ArtifactType(name="components.GateDecision")
        )

    def run(self, run_id, decided=None, pipeline="quick", state=mlmd.Execution.COMPLETE):
        """Adds a run; without a decision, its gate failed."""
        execution = mlmd.Execution(
            type_id=self.gate,
            last_known_state=mlmd.Execution.FAILED if decided is None else state,
        )
        outputs = []
        if decided is not None:
            folder = self.workdir / "decisions" / run_id
            decision.write(decided, str(folder))
            event = mlmd.Event(type=mlmd.Event.OUTPUT)
            event.path.steps.add().key = "decision"
            event.path.steps.add().index = 0
            outputs = [(mlmd.Artifact(type_id=self.written, uri=str(folder)), event)]
        names = {
            "pipeline": pipeline,
            "pipeline_run": run_id,
            "node": f"{pipeline}.StudentGate",
        }
        contexts = [mlmd.Context(type_id=self.types[t], name=name) for t, name in names.items()]
        self.store.put_execution(execution, outputs, contexts, reuse_context_if_already_exist=True)


@pytest.fixture
def metadata(tmp_path):
    return Metadata(tmp_path)


@pytest.fixture
def explain(tmp_path, capsys):
    def explain(*arguments):
        status = cli.main(["explain", "--workdir", str(tmp_path), *arguments])
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    return explain


def test_the_newest_run_with_a_decision(metadata, explain):
    metadata.run("20261122-1", made(0.7))
    metadata.run("20261122-2", made(0.5), pipeline="other")
    metadata.run("20261122-3")
    status, printed = explain()
    assert status == 0
    lines = printed.splitlines()
    assert lines[0] == "Refused by gate.min_accuracy: other, run 20261122-2"
    assert lines[1] == "Baseline: no other model has been pushed yet."
    assert lines[2].split("  ") == [
        "refuse",
        "gate.min_accuracy",
        "top-1 accuracy is 50.00%, must be at least 60.00%",
    ]
    assert len(lines) == 3


def test_a_run_by_its_id_and_a_cached_one(metadata, explain):
    metadata.run("20261122-1", made(0.7), state=mlmd.Execution.CACHED)
    metadata.run("20261122-2", made(0.5))
    status, printed = explain("20261122-1")
    assert status == 0
    assert printed.splitlines()[0] == "Blessed: quick, run 20261122-1"


def test_rebaselining_is_said(metadata, explain):
    metadata.run("20261122-1", made(0.7, rebaseline=True))
    assert "comparisons with the baseline are no bounds" in explain()[1]


def test_json(metadata, explain):
    metadata.run("20261122-1", made(0.5))
    status, printed = explain("--json")
    document = json.loads(printed)
    assert status == 0
    assert (document.pop("run"), document.pop("pipeline")) == ("20261122-1", "quick")
    assert Decision.model_validate(document) == made(0.5)


def test_unknown_run(metadata, explain):
    metadata.run("20261122-1", made(0.5))
    status, printed = explain("20261122-2")
    assert status == 2
    assert "There is no run and no pushed version '20261122-2'" in printed
    assert "Did you mean '20261122-1'?" in printed


def test_a_run_that_ended_before_the_gate(metadata, explain):
    metadata.run("20261122-1")
    status, printed = explain("20261122-1")
    assert status == 2
    assert "'20261122-1' has no decision" in printed
    status, printed = explain()
    assert status == 2
    assert "No run has a decision" in printed


def test_a_workdir_without_runs_stays_as_it_is(tmp_path, explain):
    status, printed = explain()
    assert status == 2
    assert "There is no ML Metadata at" in printed
    assert not list(tmp_path.iterdir())


def test_it_needs_neither_tfx_nor_tensorflow(metadata, tmp_path):
    metadata.run("20261122-1", made(0.7))
    assert heavy_modules("explain", "--workdir", tmp_path) == []
