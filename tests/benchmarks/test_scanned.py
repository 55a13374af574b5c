"""The runner of the benchmark at full scale, on JAX: `tests/test_on_jax.py` runs it there."""

from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from benchmarks.accuracy.ledger import Ledger
from benchmarks.accuracy.splits import load
from components.cifar100_example_gen.sample import SAMPLE
from kd_trainer import methods, training
from kd_trainer.checkpoint import Checkpoint
from kd_trainer.data import Dataset, TrainingBatches, augment, view_count
from kd_trainer.networks import NETWORKS, build
from kd_trainer.recipe import Recipe

if keras.backend.backend() != "jax":
    pytest.skip("the runner is for Keras's JAX backend", allow_module_level=True)

from benchmarks.fullscale import scanned as module
from benchmarks.fullscale.deadline import Deadline, OutOfTimeError
from benchmarks.fullscale.files import Files
from benchmarks.fullscale.rows import rows
from benchmarks.fullscale.runner import Setting, run
from benchmarks.fullscale.scanned import scanned

CLASSES = 10
# A low rate: what differs by rounding must not grow in what a few steps make of it.
RECIPE = Recipe(epochs=2, batch_size=16, learning_rate=1e-5)
# Of crd there are adapters with random state, and it wants the images' numbers.
TWO_STAGES_AND_STATE = [
    {"name": "fitnet", "preset": "upstream", "hint_epochs": 0.5},
    {"name": "crd", "negatives": 20},
]


@pytest.fixture(autouse=True)
def tiny_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling takes nearly all of the time, and that of a small network the least."""
    monkeypatch.setitem(NETWORKS, "tiny", ("kd_helpers:tiny", {"size": 32, "stages": 3}))


def sample(split: str, count: int) -> Dataset:
    part = load(str(SAMPLE), CLASSES)[split]
    return Dataset(part.images[:count], part.labels[:count])


def distilled(spec: Any, recipe: Recipe = RECIPE, **data: Any) -> tuple[Any, Any]:
    """Trains a student in three steps an epoch; returns its weights and the history."""
    keras.utils.set_random_seed(1)
    teacher = build("tiny", CLASSES)
    network, history = training.distil(
        teacher,
        "tiny",
        methods.create(spec),
        CLASSES,
        recipe,
        seed=2,
        train_set=sample("train", 3 * recipe.batch_size + 1),
        eval_set=sample("test", 270),  # more than one batch of measuring, and no multiple of it
        name="student",
        **data,
    )
    for row in history:
        del row["seconds"]
    return network.get_weights(), history


def assert_close(found: tuple[Any, Any], wanted: tuple[Any, Any], tolerance: float) -> None:
    for one, other in zip(found[0], wanted[0], strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
    assert [list(row) for row in found[1]] == [list(row) for row in wanted[1]]
    for one, other in zip(found[1], wanted[1], strict=True):
        for key, value in other.items():
            if isinstance(value, str):
                assert one[key] == value
            else:
                assert one[key] == pytest.approx(value, rel=20 * tolerance, abs=tolerance), key


@pytest.mark.parametrize(
    "spec",
    [
        TWO_STAGES_AND_STATE,
        {"name": "dml", "preset": "seed"},  # the peer is trained too
        {"name": "kd_svd", "preset": "seed"},  # its gradient is bounded
    ],
    ids=["fitnet and crd", "dml", "kd_svd"],
)
def test_an_epoch_is_what_fit_makes_of_it(spec: Any) -> None:
    assert_close(distilled(spec, fit=scanned), distilled(spec), 1e-5)


def test_an_epoch_in_parts_is_what_fit_makes_of_it() -> None:
    spec = {"name": "soft_logits"}
    together = distilled(spec, fit=partial(scanned, dispatched=2))
    assert_close(together, distilled(spec), 1e-5)


def test_the_recipes_precision_is_what_is_computed_in() -> None:
    recipe = RECIPE.model_copy(update={"precision": "bfloat16"})
    spec = {"name": "soft_logits"}
    found = distilled(spec, recipe, fit=scanned)
    assert_close(found, distilled(spec, recipe), 2e-3)
    exact = distilled(spec, fit=scanned)
    assert found[1][-1]["task"] != exact[1][-1]["task"]


def test_a_run_that_is_stopped_after_each_epoch_ends_with_the_same_bits(tmp_path: Path) -> None:
    undisturbed = distilled(TWO_STAGES_AND_STATE, fit=scanned)

    def one_epoch(*arguments: Any) -> None:
        *course, watchers = arguments
        scanned(*course, [*watchers, Deadline(0)])

    stops = 0
    while True:
        try:
            found = distilled(
                TWO_STAGES_AND_STATE, fit=one_epoch, checkpoint=Checkpoint(tmp_path, "a run")
            )
            break
        except OutOfTimeError:
            stops += 1
    assert stops == len(found[1])
    assert found[1] == undisturbed[1]
    for one, other in zip(found[0], undisturbed[0], strict=True):
        assert one.tobytes() == other.tobytes()


def test_the_ledger_is_the_same_however_often_it_is_stopped(tmp_path: Path) -> None:
    """Teacher and students, each call from the files of the one before."""
    recipe = Recipe(epochs=2, batch_size=32)
    setting = Setting(
        "tiny",
        "tiny",
        CLASSES,
        {"seed": recipe, "crd": recipe.model_copy(update={"nesterov": False})},
        sample("train", 160),
        sample("test", 100),
    )
    chosen = [row for row in rows() if row.name in ("baseline@seed", "rkd/crd@crd")]
    assert len(chosen) == 2

    def files(name: str) -> Files:
        folder = tmp_path / name
        return Files(folder / "runs.jsonl", folder / "teacher.npz", folder / "state")

    assert run(setting, files("whole"), chosen, [0], Deadline(float("inf")))
    calls = 1
    while not run(setting, files("stopped"), chosen, [0], Deadline(0)):
        calls += 1
    assert calls == 2 * 3 + 1

    whole, stopped = (Ledger(files(name).ledger).runs for name in ("whole", "stopped"))
    assert [run["row"] for run in whole] == ["teacher", "baseline@seed", "rkd/crd@crd"]
    for one, other in zip(whole, stopped, strict=True):
        for each in (one, other):
            del each["seconds"]
            for epoch in each["history"]:
                del epoch["seconds"]
        assert one == other
        assert set(one) >= {"command", "versions", "device", "recipe"}
    assert [run["command"].partition("train ")[2] for run in whole] == [
        "--precision float32",
        "--rows baseline@seed --seeds 0 --precision float32",
        "--rows rkd/crd@crd --seeds 0 --precision float32",
    ]
    assert files("whole").teacher.read_bytes() == files("stopped").teacher.read_bytes()
    assert not list(files("stopped").state.iterdir())


@pytest.mark.parametrize("mode", ["reflect", "constant"])
@pytest.mark.parametrize("flip", [True, False])
def test_the_device_gives_each_view_as_numpy_does(mode: Any, flip: bool) -> None:
    recipe = Recipe(pad_mode=mode, flip=flip)
    images = sample("train", 3).images
    count = view_count(recipe)
    assert count == 81 * (1 + flip)
    numbers, views = np.repeat([0, 1, 2], count), np.tile(np.arange(count), 3)
    found = module._augmented(
        module._padded(images, recipe),
        numbers.astype("int32"),
        views.astype("int32"),
        recipe,
        images.shape[1:],
    )
    assert np.asarray(found).dtype == np.uint8
    np.testing.assert_array_equal(np.asarray(found), augment(images[numbers], views, recipe))


def test_an_epoch_shows_every_image_once_and_every_view_as_often() -> None:
    recipe = Recipe(batch_size=100)
    count = 162 * 100
    dataset = Dataset(np.zeros((count, 1, 1, 3), "uint8"), np.zeros(count, "int64"))
    batches = TrainingBatches(dataset, recipe, seed=0)
    batches.on_epoch_begin()
    chosen, views = (np.asarray(part) for part in module._drawn(batches))
    assert chosen.shape == views.shape == (162, 100)
    np.testing.assert_array_equal(np.sort(chosen.ravel()), np.arange(count))
    seen = np.bincount(views.ravel(), minlength=162)
    assert len(seen) == 162
    # Chi square of 161 degrees of freedom: 161 on average, a deviation of 18.
    assert abs(((seen - 100) ** 2 / 100).sum() - 161) < 4 * 18


def test_a_loss_that_is_not_finite_is_told_with_its_step() -> None:
    with pytest.raises(FloatingPointError, match="batch 2"):
        distilled(
            {"name": "soft_logits"}, RECIPE.model_copy(update={"learning_rate": 1e30}), fit=scanned
        )
