"""A teacher's outputs, kept from one training to the next."""

import keras
import numpy as np
import pytest
from kd_helpers import sharpen, tiny, tiny_data

from kd_trainer import training
from kd_trainer.methods import METHODS, create, method_class
from kd_trainer.networks import NETWORKS
from kd_trainer.recipe import Recipe
from kd_trainer.teacher import inferring
from kd_trainer.teacher_cache import TeacherCache, can_be_kept

RECIPE = Recipe(epochs=2, batch_size=8, learning_rate=0.05, crop_padding=1)


@pytest.fixture
def distil(monkeypatch, tmp_path):
    """Trains a tiny student and returns its history and weights."""
    monkeypatch.setitem(NETWORKS, "tiny", ("kd_helpers:tiny", {}))

    def distil(spec="soft_logits", seed=0, cache=tmp_path / "cache", teacher_seed=7):
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
            teacher_cache=cache,
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


def assert_same(one, other):
    assert other[0] == [pytest.approx(row, rel=1e-4) for row in one[0]]
    for ours, theirs in zip(other[1], one[1], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("method", ["soft_logits", "dkd", "rkd", "crd"])
def test_a_training_with_the_cache_is_the_one_without(method, distil, asked):
    without = distil(method, cache=None)
    assert not asked
    filling = distil(method)
    steps = RECIPE.epochs * 24 // RECIPE.batch_size
    assert len(asked) == steps
    again = distil(method)
    assert len(asked) == steps
    assert_same(without, filling)
    assert_same(filling, again)


def test_another_seed_and_method_find_what_they_share(distil, asked):
    distil("soft_logits")
    filled = len(asked)
    distil("dkd")
    assert len(asked) == filled
    distil("soft_logits", seed=1)
    assert len(asked) > filled


def test_another_teacher_has_a_cache_of_its_own(distil, asked):
    distil()
    filled = len(asked)
    distil(teacher_seed=8)
    assert len(asked) == 2 * filled


def test_what_a_killed_training_left_is_gone_on_from(tmp_path, asked):
    data, teacher = tiny_data(24), inferring(tiny(), ["logits"])
    chosen, views = np.arange(4), np.array([0, 3, 17, 5])
    images = data.images[:4]
    first = TeacherCache(tmp_path, teacher, data, RECIPE).outputs(images, chosen, views)
    second = TeacherCache(tmp_path, teacher, data, RECIPE).outputs(images, chosen, views)
    assert len(asked) == 1
    np.testing.assert_array_equal(first["logits"], second["logits"])
    np.testing.assert_allclose(first["logits"], teacher(images)["logits"], rtol=1e-5)


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
