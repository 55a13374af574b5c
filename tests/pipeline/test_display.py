import dataclasses
import io

import pytest
from rich.console import Console

from components.decision import Bound, Decision
from kd_trainer.progress import Progress
from kd_trainer.teacher_use import Use
from pipeline.display import RunDisplay, show_outcome
from pipeline.local_runner import NodeEvent
from pipeline.outcome import Outcome, Row

MOMENT = Progress(
    model="student",
    stage="hint",
    epoch=2,
    epochs=4,
    steps_done=50,
    steps=200,
    images_per_second=812.4,
    seconds_left=65.0,
    logs={"hint": 0.12345, "loss": 1.5, "val_accuracy": 0.75, "val_task": 9.0},
    epoch_ended=True,
)


def shown(terminal):
    """What a run of three nodes looks like."""
    console = Console(file=io.StringIO(), force_terminal=terminal, width=150, color_system=None)
    display = RunDisplay(console)
    display.on_node(NodeEvent("StatisticsGen", "run"))
    display.on_node(NodeEvent("StatisticsGen", "run", seconds=0.01, cached=True))
    display.on_node(NodeEvent("DistillTrainer", "run"))
    display.on_training(MOMENT)
    display.on_node(NodeEvent("DistillTrainer", "run", seconds=61.26))
    display.on_node(NodeEvent("Evaluator", "run"))
    display.on_node(NodeEvent("Evaluator", "run", seconds=1, error=ValueError("no")))
    display.close()
    assert display.run_id == "run"
    assert display.failed.node == "Evaluator"
    return console.file.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_a_line_a_node_with_its_time(terminal):
    lines = [" ".join(line.split()) for line in shown(terminal).splitlines()]
    assert any(line.endswith("✓ StatisticsGen 0.0 s cached") for line in lines)
    assert any(line.endswith("✓ DistillTrainer 61.3 s") for line in lines)
    assert any(line.endswith("✗ Evaluator 1.0 s failed") for line in lines)


def test_training_has_a_line_an_epoch_where_there_is_no_terminal():
    text = shown(terminal=False)
    assert "hint 2/4  hint 0.123  loss 1.500  val_accuracy 0.750  812 images/s, 1:05 left" in text
    assert "val_task" not in text


@pytest.mark.parametrize("terminal", [True, False])
def test_a_remark_has_a_line_that_stays(terminal):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=150, color_system=None)
    display = RunDisplay(console)
    display.on_node(NodeEvent("DistillTrainer", "run"))
    display.on_training(MOMENT)
    display.on_remark("rolled back: task not finite in epoch 2, batch 1")
    display.close()
    assert "    rolled back: task not finite in epoch 2, batch 1\n" in console.file.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
def test_of_students_that_train_at_once_each_is_named(terminal):
    console = Console(file=io.StringIO(), force_terminal=terminal, width=150, color_system=None)
    display = RunDisplay(console)
    display.on_node(NodeEvent("ClassroomTrainer.0", "run"))
    for model in ("rkd", "dist"):
        display.on_training(dataclasses.replace(MOMENT, model=model))
    display.close()
    assert "dist hint 2/4  hint 0.123" in console.file.getvalue()


def bound(key, metric, value, least):
    return Bound(
        key=key,
        metric=metric,
        subject="student",
        slice="overall",
        value=value,
        bound=least,
        is_minimum=True,
        unit="share",
        passed=value >= least,
        judge="TFMA",
    )


def shown_outcome(change, overtaken="", published=None, **fields):
    bounds = [
        bound("gate.min_accuracy", "top-1 accuracy", 0.75, 0.7),
        bound("gate.min_change", "top-1 minus the baseline's", change, 0.1),
    ]
    passed = all(bound.passed for bound in bounds)
    made = {
        "blessed": passed,
        "rebaseline": False,
        "baseline": "champion",
        "champion_version": "17",
        "baseline_reason": "version 17 is the newest pushed one",
        "in_service": "17",
        "bounds": bounds,
    }
    rows = [
        Row("teacher", "resnet20", 0.8, 0.95, 278324),
        Row("baseline", "version 17", 0.7, 0.9, 83892),
        Row("student", "resnet8, fitnet", 0.75, 0.92, 83892, published),
        Row("tflite int8", "resnet8, fitnet", 0.74, 0.91, None),
    ]
    console = Console(file=io.StringIO(), width=100, color_system=None)
    pushed_to = "/serving/quick/18" if passed and not overtaken else None
    decided = Decision(**{**made, **fields})
    uses = [Use(key="a1", directory="/workdir", asked=200, found=150, kept=90, views=1000)]
    source = "their README" if published else ""
    outcome = Outcome(rows, decided, pushed_to, overtaken, "/workdir/report.html", uses, source)
    show_outcome(console, outcome)
    return console.file.getvalue()


def test_outcome_of_a_blessed_student():
    text = shown_outcome(change=0.2)
    for part in [
        "80.00%",
        "278,324",
        "tflite int8",
        "Baseline: version 17 is the newest pushed one.",
        "Gate: top-1 minus the baseline's is 20.00%, must be at least 10.00%: pass",
        "Blessed.",
        "/serving/quick/18",
        "Report: /workdir/report.html",
        "The teacher's outputs: 75.0% of 200 were kept by earlier trainings; 90 of 1,000 are kept",
    ]:
        assert part in text
    assert "Rebaselined" not in text


def test_published_figures_stand_beside_ours():
    text = shown_outcome(change=0.2, published=0.7274)
    assert "original" in text
    assert "72.74%" in text
    assert "Original figures of top-1: their README." in text
    assert "riginal" not in shown_outcome(change=0.2)


def test_outcome_of_a_refused_student():
    text = shown_outcome(change=0.05)
    assert "top-1 minus the baseline's is 5.00%, must be at least 10.00%: refuse" in text
    assert "Refused by gate.min_change: nothing was pushed." in text
    assert "Blessed" not in text


def test_outcome_of_a_student_that_another_run_overtook():
    text = shown_outcome(change=0.2, overtaken="in service is version 18 now")
    assert "Overtaken, nothing was pushed: in service is version 18 now." in text
    assert "Blessed" not in text
    assert "/serving/quick" not in text


def test_a_champion_that_is_passed_over_is_named():
    assert "Rebaselined: version 17 is passed over" in shown_outcome(change=0.2, rebaseline=True)
