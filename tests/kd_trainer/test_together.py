"""Students that are taught together are those that are taught one by one."""

import concurrent.futures
import json
import threading

import keras
import numpy as np
import pytest
from kd_helpers import close, sharpen, tiny, tiny_data

from kd_trainer import callbacks, training
from kd_trainer.checkpoint import Checkpoint
from kd_trainer.methods import METHODS, create
from kd_trainer.networks import NETWORKS
from kd_trainer.recipe import Recipe
from kd_trainer.shared_teacher import Classroom, can_be_shared
from kd_trainer.together import Student, distil_together

RECIPE = Recipe(epochs=3, batch_size=8, learning_rate=0.05, crop_padding=1)
# Logits, features, two stages of which one has no teacher, images' numbers, bounded gradients.
SPECS = ("soft_logits", "fitnet", "crd", "kd_svd")


@pytest.fixture
def teacher(monkeypatch):
    monkeypatch.setitem(NETWORKS, "tiny", ("kd_helpers:tiny", {"stages": 3}))
    keras.utils.set_random_seed(7)
    return sharpen(tiny(name="teacher", stages=3))


def method(name):
    options = {"crd": {"negatives": 4}}.get(name, {})
    return create({"name": name, **options})


def together(teacher, specs, recipe=RECIPE, **data):
    students = {
        name: Student("tiny", spec, {"name": name, **data.get(name, {})})
        for name, spec in specs.items()
    }
    return distil_together(teacher, students, 5, recipe, 3, tiny_data(24), tiny_data(10))


def classrooms(monkeypatch):
    """Returns the classrooms that are opened from now on."""
    rooms = []
    original = Classroom.__init__

    def kept(self, *arguments):
        rooms.append(self)
        original(self, *arguments)

    monkeypatch.setattr(Classroom, "__init__", kept)
    return rooms


def without_seconds(history):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in history]


@pytest.mark.slow
def test_each_is_what_it_is_alone(teacher, tmp_path):
    data = {name: {"log_dir": tmp_path / name} for name in SPECS}
    found = together(teacher, {name: method(name) for name in SPECS}, **data)
    for name in SPECS:
        alone, expected = training.distil(
            teacher,
            "tiny",
            method(name),
            5,
            RECIPE,
            3,
            train_set=tiny_data(24),
            eval_set=tiny_data(10),
            name=name,
        )
        student, history = found[name].result()
        assert [row["stage"] for row in history] == [row["stage"] for row in expected]
        for row, other in zip(*map(without_seconds, (history, expected)), strict=True):
            assert row == close(other, rel=1e-3, abs=1e-5)
        for weight, other in zip(student.get_weights(), alone.get_weights(), strict=True):
            np.testing.assert_allclose(weight, other, rtol=1e-2, atol=1e-4)
        written = json.loads((tmp_path / name / "history.json").read_text(encoding="utf-8"))
        assert len(written) == len(history)


def test_the_teacher_runs_once_a_batch(teacher, monkeypatch):
    rooms = classrooms(monkeypatch)
    names = ("soft_logits", "attention_transfer", "rkd")
    for future in together(teacher, {name: method(name) for name in names}).values():
        future.result()
    (room,) = rooms
    assert room.passes == RECIPE.epochs * 24 // RECIPE.batch_size


@pytest.mark.slow
def test_who_is_ahead_waits_for_the_others(teacher, tmp_path, monkeypatch):
    """Killed when one had ended an epoch more than the other."""
    rooms = classrooms(monkeypatch)
    names = ("soft_logits", "attention_transfer")
    folders = {name: {"checkpoint": Checkpoint(tmp_path, name)} for name in names}
    specs = {name: method(name) for name in names}
    for name, epochs in zip(names, (2, 1), strict=True):
        # A state after so many of the three epochs.
        original = callbacks.EndOfEpoch.on_epoch_end

        def killed(self, epoch, logs=None, last=epochs, original=original):
            original(self, epoch, logs)
            if epoch + 1 == last:
                raise KeyboardInterrupt

        monkeypatch.setattr(callbacks.EndOfEpoch, "on_epoch_end", killed)
        with pytest.raises(KeyboardInterrupt):
            together(teacher, {name: specs[name]}, **folders)[name].result()
        monkeypatch.setattr(callbacks.EndOfEpoch, "on_epoch_end", original)
    rooms.clear()
    found = together(teacher, specs, **folders)
    assert all(len(future.result()[1]) == RECIPE.epochs for future in found.values())
    (room,) = rooms
    assert room.passes == 2 * 24 // RECIPE.batch_size  # the last two epochs, and none twice


@pytest.mark.slow
def test_a_student_of_bfloat16_computes_in_float32_when_it_is_done(teacher):
    recipe = RECIPE.model_copy(update={"precision": "bfloat16", "epochs": 1})
    (future,) = together(teacher, {"rkd": method("rkd")}, recipe).values()
    student, _ = future.result()
    assert {layer.dtype_policy.name for layer in student.layers} == {"float32"}


@pytest.mark.slow
def test_one_that_diverges_does_not_end_the_others(teacher):
    wild = create({"name": "soft_logits", "distillation_weight": 1e38})
    found = together(teacher, {"wild": wild, "tame": method("soft_logits")})
    with pytest.raises(FloatingPointError, match="not finite"):
        found["wild"].result()
    _, history = found["tame"].result()
    assert len(history) == RECIPE.epochs


def interrupted(monkeypatch):
    """Interrupts the caller of `distil_together` once, and returns the students' futures."""
    found = []

    def wait(futures, timeout=None):
        if not found:
            found.extend(futures)
            raise KeyboardInterrupt
        return concurrent.futures.wait(futures, timeout)

    monkeypatch.setattr("kd_trainer.together.wait", wait)
    return found


LONG = RECIPE.model_copy(update={"epochs": 2000})


def test_an_interrupt_ends_all(teacher, monkeypatch):
    futures = interrupted(monkeypatch)
    rooms = classrooms(monkeypatch)
    with pytest.raises(KeyboardInterrupt):
        together(teacher, {name: method(name) for name in ("soft_logits", "rkd")}, LONG)
    assert len(futures) == 2
    for future in futures:
        assert "has left" in str(future.exception())
    assert rooms[0].passes < 100


def test_an_interrupt_does_not_wait_for_a_student_that_is_at_something_long(
    teacher, monkeypatch, tmp_path
):
    futures = interrupted(monkeypatch)
    monkeypatch.setattr("kd_trainer.together._SECONDS", 0.1)
    over = threading.Event()

    class Slow(Checkpoint):
        def position(self):
            over.wait()
            return super().position()

    data = {"rkd": {"checkpoint": Slow(tmp_path, "0" * 16)}}
    with pytest.raises(KeyboardInterrupt):
        together(teacher, {name: method(name) for name in ("soft_logits", "rkd")}, LONG, **data)
    assert not futures[1].done()
    over.set()
    assert "has left" in str(futures[1].exception())


def test_who_can_be_taught_together():
    alone = {name for name in METHODS if not can_be_shared(create({"name": name}).stages(10))}
    assert alone == {"dml", "jacobian_matching", "overhaul"}
