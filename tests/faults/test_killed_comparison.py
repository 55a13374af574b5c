"""A comparison over two seeds that is killed in the second."""

import csv
import signal
import time
from pathlib import Path

import pytest
from machine import ended, seen, start
from ml_metadata import metadata_store
from whole_runs import Ran

from components import evaluation
from components.artifacts import ComparisonTable
from components.student_gate.rules import TOP1
from pipeline import pushes, store
from pipeline.history import History

pytestmark = pytest.mark.slow

METHODS = ("soft_logits", "rkd")


def compare(workdir, *words):
    return start(workdir, "compare", f"--methods={','.join(METHODS)}", "--trials=2", *words)


def history(workdir):
    return History(metadata_store.MetadataStore(store.sqlite(workdir / store.FILE_NAME)))


def check_table(run):
    """Each accuracy is the mean of what the evaluators say of both seeds."""
    outputs = {node.id: node.outputs for node in run.nodes}
    path = Path(outputs["Leaderboard"]["table"].uri, ComparisonTable.CSV_NAME)
    with open(path, encoding="utf-8", newline="") as lines:
        table = {line["row"]: line for line in csv.DictReader(lines)}
    assert set(table) == {"teacher", "baseline", *METHODS}
    for row in METHODS:
        uris = [outputs[f"TrialEvaluator.{row}_{seed}"]["evaluation"].uri for seed in range(2)]
        found = [evaluation.metrics(uri, "candidate")[()][TOP1] for uri in uris]
        assert float(table[row]["accuracy"]) == pytest.approx(sum(found) / 2)
        assert table[row]["trials"] == "2"


def test_it_resumes_and_its_best_is_pushed(tmp_path):
    killed = compare(tmp_path)
    printed = seen(killed, "▸ ClassroomTrainer") + seen(killed, "▸ ClassroomTrainer")
    time.sleep(1)
    killed.kill()
    killed.wait()
    assert killed.returncode == -signal.SIGKILL
    before = Ran(0, printed).executed

    again = Ran(*ended(compare(tmp_path)))
    assert again.status == 0, again.printed
    classrooms = {"ClassroomTrainer.0", "ClassroomTrainer.1"}
    assert "Trainer.teacher" in before
    (done,) = classrooms & before
    assert not again.executed & before
    assert {"Trainer.teacher", done} <= again.cached
    assert {*(classrooms - {done}), "Leaderboard"} <= again.executed
    assert not [n for n in again.executed | before if n.startswith("Trainer.teacher.")]
    assert "The best mean is that of" in again.printed
    for row in ("teacher", "baseline", *METHODS):
        assert f"│ {row} " in again.printed
    check_table(history(tmp_path).runs[-1])

    pushed = Ran(*ended(compare(tmp_path, "--push-best")))
    assert pushed.status == 0, pushed.printed
    trainers = ("Trainer", "Distill", "Classroom")
    assert not [node for node in pushed.executed if node.startswith(trainers)]
    assert {"BestStudent", "StudentGate", "Pusher"} <= pushed.executed
    (version,) = (tmp_path / "serving" / "quick").glob("[0-9]*")
    last = history(tmp_path)
    assert [str(pushes.ending(last, run)) for run in last.runs[1:]] == [
        "compared",
        f"pushed {version.name}",
    ]
