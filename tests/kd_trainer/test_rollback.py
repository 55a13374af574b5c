"""A training that diverges goes back, and on with a smaller learning rate."""

import copy
import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from kd_helpers import snapshot, tiny, tiny_data

from kd_trainer import methods, progress, together, training
from kd_trainer.callbacks import NotFiniteError
from kd_trainer.checkpoint import Checkpoint
from kd_trainer.errors import ConfigError
from kd_trainer.methods.base import Stage
from kd_trainer.recipe import Recipe

RATE = 0.01
ROLLING = Recipe(
    epochs=3,
    batch_size=8,
    learning_rate=RATE,
    schedule="cosine",
    crop_padding=1,
    on_nan="rollback",
    rollbacks=2,
)
STAGES = [Stage("task", 3)]


class Poison(keras.callbacks.Callback):
    """Breaks a weight as an epoch begins, in the first tries of it."""

    def __init__(self, epoch: int, tries: int):
        super().__init__()
        self.epoch, self.left = epoch, tries

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
        if epoch + 1 == self.epoch and self.left:
            self.left -= 1
            weight = self.model.student.trainable_variables[-1]
            weight.assign(np.full(weight.shape, np.nan))

    def fit(self, *arguments: object) -> None:
        *course, watchers = arguments
        training.by_keras(*course, [*watchers, self])


def train(
    recipe: Recipe, fit: Callable[..., None] = training.by_keras, **arguments: object
) -> tuple[list[np.ndarray], list[dict]]:
    keras.utils.set_random_seed(1)
    network = tiny()
    history = training.train(
        network, STAGES, recipe, tiny_data(32), None, seed=5, name="tiny", fit=fit, **arguments
    )
    return list(snapshot(network).values()), history


def rates(history: list[dict]) -> list[float]:
    return [row["learning_rate"] for row in history]


def timeless(history: list[dict]) -> list[dict]:
    return [{key: row[key] for key in row if key != "seconds"} for row in history]


def killed_after(epoch: int) -> Callable[[], None]:
    """Ends the run in the epoch after that."""

    def listener(moment: progress.Progress) -> None:
        if moment.epoch == epoch + 1 and moment.epoch_ended:
            raise KeyboardInterrupt

    return progress.subscribe(listener)


@pytest.mark.parametrize("epoch", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_it_goes_on_from_the_last_epochs_end_with_half_the_rate(epoch: int, tmp_path: Path) -> None:
    weights, history = train(
        ROLLING, Poison(epoch, tries=2).fit, checkpoint=Checkpoint(tmp_path / "one", "it")
    )
    # The same by hand: up to that epoch with the whole rate, and then with a quarter.
    byhand = Checkpoint(tmp_path / "two", "it")
    if epoch > 1:
        unsubscribe = killed_after(epoch - 1)
        with pytest.raises(KeyboardInterrupt):
            train(ROLLING, checkpoint=byhand)
        unsubscribe()
    quarter = ROLLING.model_copy(update={"learning_rate": RATE / 4})
    expected, expected_history = train(quarter, checkpoint=byhand)
    for one, other in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(one, other)
    assert rates(history) == rates(expected_history)
    told = history[epoch - 1].pop("rollbacks")
    assert timeless(history) == timeless(expected_history)
    assert [(each["epoch"], each["batch"], each["terms"]) for each in told] == [
        (epoch, 1, ["task"])
    ] * 2
    assert [each["learning_rate"] for each in told] == [RATE / 2, RATE / 4]


@pytest.mark.slow
def test_at_most_so_often() -> None:
    with pytest.raises(
        NotFiniteError, match=r"epoch 2, batch 1, .* rolled back 2 times"
    ) as stopped:
        train(ROLLING, Poison(2, tries=3).fit)
    assert copy.copy(stopped.value).found == stopped.value.found


def test_each_is_told() -> None:
    remarks: list[str] = []
    unsubscribe = progress.subscribe(lambda moment: None, remarks.append)
    train(ROLLING, Poison(2, tries=2).fit)
    unsubscribe()
    assert remarks == [
        f"rolled back: task not finite in epoch 2, batch 1; on with the learning rate {rate}"
        for rate in (RATE / 2, RATE / 4)
    ]


def test_not_unless_it_is_asked_for() -> None:
    with pytest.raises(NotFiniteError, match="epoch 2, batch 1"):
        train(ROLLING.model_copy(update={"on_nan": "stop"}), Poison(2, tries=1).fit)


@pytest.mark.slow
def test_what_comes_of_it_is_written_and_outlasts_a_kill(tmp_path: Path) -> None:
    whole, history = train(ROLLING, Poison(2, tries=1).fit, log_dir=tmp_path / "whole")
    assert json.loads((tmp_path / "whole" / "history.json").read_text(encoding="utf-8")) == history
    checkpoint = Checkpoint(tmp_path / "kept", "it")
    unsubscribe = killed_after(2)
    with pytest.raises(KeyboardInterrupt):
        train(ROLLING, Poison(2, tries=1).fit, checkpoint=checkpoint)
    unsubscribe()
    weights, resumed = train(ROLLING, checkpoint=checkpoint)
    for one, other in zip(weights, whole, strict=True):
        np.testing.assert_array_equal(one, other)
    assert timeless(resumed) == timeless(history)


def test_weights_that_an_epochs_last_step_breaks_are_not_gone_back_to() -> None:
    class Late(Poison):
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            """Leaves the beginning alone."""

        def on_epoch_end(self, epoch: int, logs: object = None) -> None:
            super().on_epoch_begin(epoch)

        def fit(self, *arguments: object) -> None:
            *course, watchers = arguments
            training.by_keras(*course, [self, *watchers])

    weights, history = train(ROLLING, Late(2, tries=1).fit)
    assert all(np.isfinite(array).all() for array in weights)
    assert history[1]["rollbacks"][0]["terms"] == ["weights"]
    assert len(history) == 3


def test_who_trains_with_others_cannot_go_back() -> None:
    student = together.Student("resnet8", methods.create({"name": "soft_logits"}), {})
    data = tiny_data(32)
    with pytest.raises(ConfigError, match=r"recipe.on_nan .* compare.share_teacher=never"):
        together.distil_together(tiny(), {"one": student}, 10, ROLLING, 0, data, None)
