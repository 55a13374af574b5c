"""A comparison on real images, as a user would make it."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ml_metadata import metadata_store

from components import evaluation
from components.artifacts import ComparisonTable
from components.student_gate.rules import TOP1
from pipeline import lineage, pushes, store
from pipeline.history import History

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SMALL = [
    "data.limit=300",
    "teacher.network=resnet8",
    "recipe.epochs=1",
    "teacher.recipe={epochs: 1}",
    "gate.min_accuracy=0",
    "gate.min_change=-1",
]
METHODS = ("soft_logits", "rkd")


def command(workdir, *words):
    sets = [f"--set={override}" for override in SMALL]
    return [
        *(sys.executable, "-m", "pipeline.cli", "compare", f"--workdir={workdir}"),
        *(f"--methods={','.join(METHODS)}", "--trials=2", *sets, *words),
    ]


def compare(workdir, *words):
    done = subprocess.run(
        command(workdir, *words), cwd=ROOT, capture_output=True, text=True, timeout=1200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def ended(printed):
    lines = [line.split() for line in printed.splitlines() if line.startswith("✓")]
    cached = {words[1] for words in lines if words[-1] == "cached"}
    return {words[1] for words in lines} - cached, cached


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return tmp_path_factory.mktemp("workdir")


@pytest.fixture(scope="module")
def killed(workdir):
    """What a comparison had done when it was killed, in the second of its seeds."""
    process = subprocess.Popen(
        command(workdir), cwd=ROOT, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    lines, classrooms = [], 0
    for line in process.stdout:
        lines.append(line)
        classrooms += line.startswith("▸ ClassroomTrainer")
        if classrooms == 2:
            time.sleep(1)
            os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL
    return ended("".join(lines))[0]


@pytest.fixture(scope="module")
def printed(workdir, killed):
    """The comparison, started again."""
    return compare(workdir)


@pytest.fixture(scope="module")
def run(workdir, printed):
    history = History(metadata_store.MetadataStore(store.sqlite(workdir / store.FILE_NAME)))
    return history.runs[-1]


def test_what_was_done_is_not_done_again(killed, printed):
    executed, cached = ended(printed)
    classrooms = {"ClassroomTrainer.0", "ClassroomTrainer.1"}
    assert "Trainer.teacher" in killed
    (done,) = classrooms & killed
    assert not executed & killed
    assert {"Trainer.teacher", done} <= cached
    assert {*(classrooms - {done}), "Leaderboard"} <= executed
    assert not [node for node in executed | killed if node.startswith("Trainer.teacher.")]


def test_the_table_is_what_the_evaluators_say(run):
    outputs = {node.id: node.outputs for node in run.nodes}
    folder = Path(outputs["Leaderboard"]["table"].uri)
    with open(folder / ComparisonTable.CSV_NAME, newline="") as lines:
        table = {line["row"]: line for line in csv.DictReader(lines)}
    assert set(table) == {"teacher", "baseline", *METHODS}
    for row in METHODS:
        found = [
            evaluation.metrics(
                outputs[f"TrialEvaluator.{row}_{trial}"]["evaluation"].uri, "candidate"
            )
            for trial in range(2)
        ]
        mean = sum(metrics[()][TOP1] for metrics in found) / 2
        assert float(table[row]["accuracy"]) == pytest.approx(mean)
        assert table[row]["trials"] == "2"


def test_it_shows_table_figure_and_page(run, printed):
    (board,) = [node.outputs["table"] for node in run.nodes if node.id == "Leaderboard"]
    folder = Path(board.uri)
    assert "The best mean is that of" in printed
    assert str(folder / ComparisonTable.PAGE_NAME) in printed
    for row in ("teacher", "baseline", *METHODS):
        assert f"│ {row} " in printed
    figure = (folder / ComparisonTable.CURVES_NAME).read_text()
    page = (folder / ComparisonTable.PAGE_NAME).read_text()
    for row in METHODS:
        assert row in figure
        assert row in page


def test_the_best_is_pushed(workdir, run):
    printed = compare(workdir, "--push-best")
    executed, _ = ended(printed)
    assert not {node for node in executed if node.startswith(("Trainer", "Distill", "Classroom"))}
    assert {"BestStudent", "StudentGate", "Pusher"} <= executed
    (version,) = (workdir / "serving" / "quick").glob("[0-9]*")
    assert (version / "saved_model.pb").exists()
    assert "Blessed" in printed
    assert str(version) in printed
    history = History(metadata_store.MetadataStore(store.sqlite(workdir / store.FILE_NAME)))
    best = history.runs[-1].output(pushes.COMPARISON).properties["best"]
    student = lineage.trace(history, pushes.find(history, None))["student"]
    assert student["method"]["name"] == best
    # The card is of this student, not of the first method or seed.
    card = (version / "README.md").read_text()
    assert f"was distilled into it by {best} " in card
    assert f"| seed | {student['seed']} |" in card
    assert [str(pushes.ending(history, run)) for run in history.runs[1:]] == [
        "compared",
        f"pushed {version.name}",
    ]
