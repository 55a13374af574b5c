"""A teacher's outputs, kept from one training to the next."""

import fcntl
import os
from concurrent.futures import ThreadPoolExecutor, wait

import keras
import numpy as np
import pytest
from kd_helpers import close, sharpen, tiny, tiny_data

from kd_trainer import training
from kd_trainer.data import view_count
from kd_trainer.methods import METHODS, create, method_class
from kd_trainer.methods.base import Stage
from kd_trainer.networks import NETWORKS
from kd_trainer.networks.taps import tapped
from kd_trainer.recipe import Recipe
from kd_trainer.teacher_cache import can_be_kept
from kd_trainer.teacher_outputs import TeacherOutputs

RECIPE = Recipe(epochs=2, batch_size=8, learning_rate=0.05, crop_padding=1)


@pytest.fixture
def distil(monkeypatch, tmp_path):
    """Trains a tiny student and returns its history and weights."""
    monkeypatch.setitem(NETWORKS, "tiny", ("kd_helpers:tiny", {}))

    def distil(spec="soft_logits", seed=0, outputs=None, teacher_seed=7):
        keras.utils.set_random_seed(teacher_seed)
        teacher = sharpen(tiny(name="teacher"))
        student, history = training.distil(
            teacher,
            "tiny",
            create({"name": spec}),
            5,
            RECIPE,
            seed,
            train_set=tiny_data(24),
            eval_set=tiny_data(10),
            name="test",
            teacher_outputs=outputs,
        )
        for row in history:
            del row["seconds"]
        return history, student.get_weights()

    return distil


@pytest.fixture
def asked(monkeypatch):
    """How many batches teachers have been asked."""
    numbers = []
    original = keras.Model.predict_on_batch
    monkeypatch.setattr(
        keras.Model, "predict_on_batch", lambda *given: numbers.append(1) or original(*given)
    )
    return numbers


@pytest.fixture
def outputs(tmp_path):
    return TeacherOutputs(tmp_path / "cache", gigabytes=1)


def assert_same(one, other):
    assert other[0] == [close(row, rel=1e-4) for row in one[0]]
    for ours, theirs in zip(other[1], one[1], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


# What the index takes, and a new one beside it.
INDICES = 2 * 4 * 24 * view_count(RECIPE)
# Keras looks at two batches before the first epoch.
SEEN = RECIPE.epochs * 24 + 2 * RECIPE.batch_size


@pytest.mark.slow
@pytest.mark.parametrize("method", ["soft_logits", "dkd", "rkd", "crd"])
def test_a_training_with_the_cache_is_the_one_without(method, distil, outputs, asked):
    without = distil(method)
    assert not asked
    filling = distil(method, outputs=outputs)
    again = distil(method, outputs=outputs)
    assert_same(without, filling)
    assert_same(filling, again)
    first, second = outputs.uses
    assert len(asked) <= RECIPE.epochs * 24 // RECIPE.batch_size
    assert (second.asked, second.found, second.seconds) == (SEEN, SEEN, 0)
    assert first.found == 0
    assert first.kept == second.kept <= RECIPE.epochs * 24


def test_another_seed_and_method_find_what_they_share(distil, outputs):
    distil("soft_logits", outputs=outputs)
    distil("dkd", outputs=outputs)
    distil("soft_logits", seed=1, outputs=outputs)
    _, method, seed = outputs.uses
    assert method.found == SEEN
    assert 0 < seed.found < SEEN
    assert seed.kept > method.kept
    assert seed.sentence.startswith(f"{seed.found / SEEN:.1%} of {SEEN} were kept by earlier")


@pytest.mark.slow
def test_another_teacher_has_outputs_of_its_own(distil, outputs):
    distil(outputs=outputs)
    distil(teacher_seed=8, outputs=outputs)
    one, other = outputs.uses
    assert one.key != other.key
    assert other.found == one.found


def ask(outputs, teacher):
    """Asks of four images; returns the logits."""
    data = tiny_data(24)
    chosen, views = np.arange(4), np.array([0, 3, 17, 5])
    stage = Stage("distil", 1, teacher_taps=("logits",))
    with outputs.of(teacher, stage, data, RECIPE) as cache:
        return cache.outputs(data.images[:4], chosen, views, 0)["logits"]


def test_what_is_kept_is_what_the_teacher_says(outputs, asked):
    teacher = tiny()
    first, second = ask(outputs, teacher), ask(outputs, teacher)
    assert len(asked) == 1
    np.testing.assert_array_equal(first, second)
    said = tapped(teacher, ["logits"])(tiny_data(24).images[:4])["logits"]
    np.testing.assert_allclose(first, said, rtol=1e-5)


def test_the_least_recently_used_make_room(tmp_path):
    first, *others = (tiny() for _ in range(3))
    ask(outputs := TeacherOutputs(tmp_path, gigabytes=1), first)
    folder = tmp_path / outputs.uses[0].key
    os.utime(folder, (0, 0))
    taken = sum(512 * file.stat().st_blocks for file in folder.iterdir())
    # Not room for three; an epoch may add 24 rows of 5 numbers.
    outputs = TeacherOutputs(tmp_path, gigabytes=(2 * taken + 4 * 24 * 5 + INDICES - 1) / 1e9)
    ask(outputs, others[0])
    assert folder.exists()
    ask(outputs, others[1])
    kept = {path.name for path in tmp_path.iterdir() if path.is_dir()}
    assert kept == {use.key for use in outputs.uses}


def test_a_limit_ends_the_keeping(tmp_path, distil):
    distil(outputs=(small := TeacherOutputs(tmp_path, gigabytes=(INDICES + 400) / 1e9)))
    (use,) = small.uses
    assert use.kept == 400 // (4 * 5)
    assert use.note.endswith(" GB is reached: no more were kept")
    files = tmp_path.rglob("*")
    assert sum(file.stat().st_size for file in files if file.is_file()) <= INDICES + 400


def test_a_limit_below_the_index_keeps_nothing(tmp_path, distil):
    distil(outputs=(small := TeacherOutputs(tmp_path, gigabytes=100e-9)))
    assert small.uses[0].kept == 0


def test_nobody_opens_what_another_may_remove(tmp_path, distil):
    outputs = TeacherOutputs(tmp_path, gigabytes=1)
    tmp_path.joinpath("lock").touch()
    with open(tmp_path / "lock", encoding="utf-8") as held, ThreadPoolExecutor(1) as pool:
        fcntl.flock(held, fcntl.LOCK_EX)
        asked = pool.submit(ask, outputs, tiny())
        assert wait([asked], timeout=2).not_done
        fcntl.flock(held, fcntl.LOCK_UN)
        asked.result(timeout=60)
    assert outputs.uses[0].kept == 4


@pytest.mark.slow
def test_two_trainings_do_not_add_to_the_same_file(tmp_path, distil):
    distil(outputs=(one := TeacherOutputs(tmp_path, 1)))
    folder = tmp_path / one.uses[0].key
    without = distil(seed=3)
    with open(folder / "lock", encoding="utf-8") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert_same(without, distil(seed=3, outputs=(two := TeacherOutputs(tmp_path, 1))))
    assert [use.sentence for use in two.uses] == [
        "another training was adding to them: none were used"
    ]


def test_what_can_be_kept():
    teacher = tiny(name="teacher", stages=3)
    found = {
        name: [can_be_kept(stage, teacher) for stage in create({"name": name}).stages(10)]
        for name in METHODS
    }
    assert {name for name, stages in found.items() if all(stages)} >= {
        "soft_logits",
        "dkd",
        "dist",
        "rkd",
        "pkt",
        "crd",
    }
    for name in ("fitnet", "attention_transfer", "dml", "jacobian_matching", "activation_boundary"):
        assert method_class(name)
        assert not any(found[name]), name
