"""Compiled pipelines on what each release of Kubeflow gives our entry point, without containers."""

import json
from pathlib import Path

import pytest
import recordings
import yaml
from local_kubeflow import BACKENDS, Cache, Places, Processes, of_release, run
from small_runs import SMALL, overrides

from pipeline import config
from pipeline.cluster import plan, spec

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
COMPARED = [
    "compare.methods=[rkd, attention_transfer]",
    "compare.trials=1",
    "compare.push_best=true",
]
MADE = {"run": (plan.make, []), "comparison": (plan.make_comparison, COMPARED)}
METRICS = {
    "model-report": {"student_top1", "gain_over_baseline", "blessed"},
    "leaderboard": {"best_top1", "best_gain"},
}


class Listened:
    """An engine, and what the tasks that it ran were given.

    Attributes:
      given: their ExecutorInputs, by task.
    """

    def __init__(self, engine):
        self._engine, self.given = engine, {}

    def run(self, command):
        word = command.words.index("--json_serialized_invocation_args") + 1
        self.given[command.folder.parent.name] = json.loads(command.words[word])
        return self._engine.run(command)

    def kill(self, folder):
        self._engine.kill(folder)


@pytest.fixture(scope="module")
def processes():
    return Processes({"/app": ROOT})


@pytest.fixture(scope="module", params=MADE)
def compiled(request):
    make, more = MADE[request.param]
    document = spec.document(
        make(config.load("quick", [*overrides(SMALL), *more]), ["tfx-distill"])
    )
    return next(yaml.safe_load_all(document))


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_task_succeeds_and_a_student_is_pushed(compiled, backend, processes, tmp_path):
    folders = [tmp_path / name for name in ("store", "volume", "scratch")]
    engine = Listened(processes)
    places = Places(*folders, engine)
    places.volume.mkdir()
    records = run(compiled, places, "minio://bucket/run", {}, Cache(), BACKENDS[backend], ["claim"])
    assert records.executed == set(compiled["root"]["dag"]["tasks"])
    decision = records.artifact("student-gate", "decision")
    file = places.store / decision["uri"].removeprefix("minio://") / "decision.json"
    assert json.loads(file.read_text(encoding="utf-8"))["blessed"]
    for task in {"model-report", "leaderboard"} & records.executed:
        page = places.store / records.artifact(task, "page")["uri"].removeprefix("minio://")
        assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
        if task == "model-report":
            evaluated = records.artifact("evaluator", "evaluation")["name"]
            assert f"#{evaluated}<" in page.read_text(encoding="utf-8")
        metrics = records.artifact(task, "metrics")["metadata"]
        assert metrics.keys() >= METRICS[task]
    assert (
        "struct"
        in records.artifact("model-report", "confusion_matrix")["metadata"]["confusionMatrix"]
    )
    [version] = (places.volume / "serving").glob("*/[0-9]*")
    assert (version / "saved_model.pb").is_file()
    if "leaderboard" not in records.executed:
        given = {task: recordings.shape(value) for task, value in engine.given.items()}
        for file in recordings.FOLDER.glob("*.json"):
            recorded = recordings.read(file)
            if of_release(recorded.release) == BACKENDS[backend]:
                assert given == recorded.shapes, file.name
