import pytest

from components.model_report.charts import BOTTOM, LEFT, RIGHT, TOP, Line, LineChart, ticks
from components.model_report.curves import accuracies, charts


def row(stage, epoch, **logs):
    return {"stage": stage, "epoch": epoch, "seconds": 1.0, "learning_rate": 0.1 / epoch, **logs}


HINT = [row("hint", 1, loss=4.0, hint=4.0)]
TASK = [
    row(
        "task",
        epoch,
        accuracy=top1,
        loss=3 / epoch,
        task=2 / epoch,
        val_accuracy=top1 - 0.1,
        val_loss=0.2 / epoch,
        val_task=2.5 / epoch,
    )
    for epoch, top1 in [(1, 0.5), (2, 0.6), (3, 0.8)]
]


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.5, 1]),
        (0.21, 0.93, [0.2, 0.4, 0.6, 0.8, 1.0]),
        (2.3, 4.6, [2, 3, 4, 5]),
        (1234, 5678, [0, 2000, 4000, 6000]),
        (0.5, 0.5, [0.4, 0.6]),
        (0, 0, [0, 0.5]),
        (-0.3, 0.3, [-0.4, -0.2, 0, 0.2, 0.4]),
    ],
)
def test_ticks_are_round_and_span_the_values(low, high, expected):
    found = ticks(low, high)
    assert found == pytest.approx(expected)


def test_a_line_is_broken_where_a_value_is_missing():
    line = Line("x", "x", [(1, 0.0), (2, None), (3, 1.0), (4, 0.0)])
    chart = LineChart("x", [line], [], str)
    x, y = chart.x, chart.y
    assert chart.path(line) == f"M{x(1)} {y(0)}M{x(3)} {y(1)}L{x(4)} {y(0)}"
    assert (y(0), y(1)) == (BOTTOM, TOP)
    assert LEFT < x(1) < x(3) < x(4) < RIGHT


def test_every_loss_term_has_a_chart_and_stages_are_marked():
    found = {chart.title: chart for chart in charts("student", HINT + TASK)}
    assert list(found) == ["accuracy", "loss", "hint", "task", "learning rate"]
    assert found["loss"].stages == [(0, "hint"), (1, "task")]
    # The total of validation leaves out what the teacher and weight decay add.
    assert [line.label for line in found["loss"].lines] == ["training"]
    assert [line.label for line in found["task"].lines] == ["training", "validation"]
    training, validation = found["accuracy"].lines
    # The epochs of all stages are counted on.
    assert training.known == [(2, 0.5), (3, 0.6), (4, 0.8)]
    assert [x for x, _ in validation.known] == [2, 3, 4]
    assert "training from 50% to 80%" in found["accuracy"].description
    assert found["hint"].x_ticks == found["task"].x_ticks == [1, 2, 3, 4]


def test_a_training_of_one_stage_marks_none():
    assert not charts("teacher", TASK)[0].stages


def test_accuracy_is_compared_on_eval_where_there_is_one():
    chart = accuracies({"teacher": TASK, "student": HINT + TASK})
    assert chart.title == "validation accuracy"
    assert chart.lines[0].known[-1] == (3, pytest.approx(0.7))
    assert chart.lines[1].known[-1] == (4, pytest.approx(0.7))
    without = [{k: v for k, v in row.items() if not k.startswith("val_")} for row in TASK]
    chart = accuracies({"student": without})
    assert chart.title == "training accuracy"
    assert chart.lines[0].known[-1] == (3, 0.8)
