"""Training curves, from the `history.json` of a training."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from components.model_report.charts import Line, LineChart

Row = dict[str, Any]
"""An epoch, as `kd_trainer.callbacks.History` writes it."""

_VALIDATION = "val_"
_NO_QUANTITY = {"stage", "epoch", "seconds", "rollbacks"}
# What is looked at first comes first, the schedule last; the loss terms stand between.
_FIRST, _LAST = ("accuracy", "loss"), ("learning_rate",)


def charts(network: str, history: Sequence[Row]) -> list[LineChart]:
    """Returns a chart of each quantity: accuracy, loss, every loss term, learning rate.

    Args:
      network: `teacher`, `baseline` or `student`; gives the colour.
      history: the training's rows.
    """
    stages = _stages(history)
    return [
        LineChart(
            title=quantity.replace("_", " "),
            lines=[line for line in _lines(network, history, quantity) if line.known],
            stages=stages if len(stages) > 1 else [],
            write=_writer(quantity),
        )
        for quantity in _quantities(history)
    ]


def accuracies(histories: Mapping[str, Sequence[Row]]) -> LineChart:
    """Returns the networks' accuracy in one chart, on the eval split where there is one.

    Args:
      histories: by network.
    """
    validated = any("val_accuracy" in row for row in next(iter(histories.values())))
    quantity = "val_accuracy" if validated else "accuracy"
    return LineChart(
        title="validation accuracy" if validated else "training accuracy",
        lines=[
            Line(network, network, _points(history, quantity))
            for network, history in histories.items()
        ],
        stages=[],
        write=_writer(quantity),
    )


def _lines(network: str, history: Sequence[Row], quantity: str) -> Iterator[Line]:
    yield Line("training", network, _points(history, quantity))
    # Validation knows neither teacher nor weight decay: its total is another quantity.
    if quantity != "loss":
        validated = _points(history, _VALIDATION + quantity)
        yield Line("validation", f"{network} validation", validated)


def _quantities(history: Sequence[Row]) -> list[str]:
    names = dict.fromkeys(name.removeprefix(_VALIDATION) for row in history for name in row)
    terms = [name for name in names if name not in {*_NO_QUANTITY, *_FIRST, *_LAST}]
    return [name for name in (*_FIRST, *terms, *_LAST) if name in names]


def _points(history: Sequence[Row], quantity: str) -> list[tuple[float, float | None]]:
    return [(number, row.get(quantity)) for number, row in enumerate(history, 1)]


def _stages(history: Sequence[Row]) -> list[tuple[int, str]]:
    return [(before, row["stage"]) for before, row in enumerate(history) if row["epoch"] == 1]


def _writer(quantity: str) -> Callable[[float], str]:
    if quantity.endswith("accuracy"):
        return lambda value: f"{100 * value:.3g}%"
    return lambda value: f"{value:.3g}"
