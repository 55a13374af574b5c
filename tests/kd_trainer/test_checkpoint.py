"""A killed training goes on where it was and ends with the same result."""

import resource

import keras
import numpy as np
import pytest
from kd_helpers import snapshot, tiny, tiny_data

from kd_trainer import methods, progress, training
from kd_trainer.checkpoint import Checkpoint, digest, finish, sweep
from kd_trainer.recipe import Recipe

SLOW = pytest.mark.slow
EPOCHS = 3
METHOD = methods.create(
    {"name": "fitnet", "preset": "paper", "taps": ["stage1"], "hint_epochs": 0.7}
)


class KilledError(Exception):
    pass


def distil(checkpoint, keep="last"):
    """Trains a tiny student through FitNet's two stages, always from the same start."""
    keras.utils.set_random_seed(1)
    teacher, student = tiny(name="teacher"), tiny(name="student")
    recipe = Recipe(
        epochs=EPOCHS, batch_size=8, learning_rate=1e-3, crop_padding=1, keep=keep, warmup_epochs=1
    )
    history = training.train(
        student,
        METHOD.stages(EPOCHS),
        recipe,
        train_set=tiny_data(32),
        eval_set=tiny_data(16, seed=1),
        seed=5,
        name="student",
        checkpoint=checkpoint,
        teacher=teacher,
        adapters=training.fit_taps(teacher, student, METHOD, EPOCHS, tiny_data(32).labels),
    )
    return list(snapshot(student).values()), history


def kill_at(stage, epoch):
    """Ends the run as the epoch ends, before its state is saved."""

    def listener(moment):
        if (moment.stage, moment.epoch, moment.epoch_ended) == (stage, epoch, True):
            raise KilledError

    return progress.subscribe(listener)


@pytest.fixture(scope="module", params=["last", pytest.param("best", marks=SLOW)])
def uninterrupted(request):
    return request.param, *distil(None, request.param)


@pytest.mark.parametrize(
    ("stage", "epoch"),
    [("hint", 2), pytest.param("distil", 1, marks=SLOW), pytest.param("distil", 3, marks=SLOW)],
)
def test_the_result_is_that_of_an_uninterrupted_run(tmp_path, uninterrupted, stage, epoch):
    keep, weights, history = uninterrupted
    checkpoint = Checkpoint(tmp_path, "subject")
    unsubscribe = kill_at(stage, epoch)
    with pytest.raises(KilledError):
        distil(checkpoint, keep)
    unsubscribe()

    epochs_seen = []
    unsubscribe = progress.subscribe(
        lambda moment: moment.epoch_ended and epochs_seen.append((moment.stage, moment.epoch))
    )
    resumed_weights, resumed_history = distil(checkpoint, keep)
    unsubscribe()
    assert epochs_seen[0] == (stage, epoch)  # nothing before it was trained again
    for expected, found in zip(weights, resumed_weights, strict=True):
        assert expected.tobytes() == found.tobytes()
    timeless = [{k: v for k, v in row.items() if k != "seconds"} for row in history]
    assert [{k: v for k, v in row.items() if k != "seconds"} for row in resumed_history] == timeless


def test_a_kill_while_saving_leaves_the_state_before(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path, "subject")
    unsubscribe = kill_at("distil", 1)
    with pytest.raises(KilledError):
        distil(checkpoint)
    unsubscribe()
    before = checkpoint.position()

    def broken(file, **arrays):
        file.write(b"half")
        raise KilledError

    monkeypatch.setattr(np, "savez", broken)
    with pytest.raises(KilledError):
        distil(checkpoint)
    assert checkpoint.position() == before


@pytest.mark.slow
def test_a_disk_that_is_full_leaves_the_state_before(tmp_path):
    checkpoint = Checkpoint(tmp_path, "subject")
    unsubscribe = kill_at("distil", 1)
    with pytest.raises(KilledError):
        distil(checkpoint)
    unsubscribe()
    before = checkpoint.position()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            distil(checkpoint)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert checkpoint.position() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_a_finished_training_is_not_repeated_until_its_result_is_published(tmp_path):
    checkpoint = Checkpoint(tmp_path, "subject")
    weights, history = distil(checkpoint)
    finish(checkpoint)
    (tmp_path / "other.npz").write_bytes(b"of a training that was killed")
    (tmp_path / "other.0.partial").write_bytes(b"of a saving that was killed")

    def listener(moment):
        raise AssertionError("an epoch was trained again")

    unsubscribe = progress.subscribe(listener)
    again, same = distil(checkpoint)
    unsubscribe()
    for one, other in zip(weights, again, strict=True):
        assert one.tobytes() == other.tobytes()
    assert same == history
    finish(checkpoint)
    assert checkpoint.position() is not None
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["other.npz"]
    assert checkpoint.position() is None


def test_a_folder_keeps_the_states_that_were_finished_last_alone(tmp_path):
    one, two, three = (Checkpoint(tmp_path, name) for name in ("one", "two", "three"))
    for checkpoint in (one, two, three):
        checkpoint.file.write_bytes(b"state")
    finish(one)
    finish(two, three)
    assert {path.name for path in tmp_path.iterdir()} == {"two.finished", "three.finished"}


def test_cleared(tmp_path):
    checkpoint = Checkpoint(tmp_path, "subject")
    checkpoint.clear()
    assert checkpoint.position() is None
    distil(checkpoint)
    assert checkpoint.position().stage == 1
    checkpoint.clear()
    assert checkpoint.position() is None


def test_a_training_of_something_else_does_not_go_on_from_it(tmp_path):
    data = tiny_data(32)
    subject = digest({"epochs": 3}, *data.arrays)
    distil(Checkpoint(tmp_path, subject))
    state = Checkpoint(tmp_path, subject).position()
    assert state is not None
    other_images = data.images.copy()
    other_images[3, 0, 0, 0] ^= 1
    for other in [
        digest({"epochs": 4}, *data.arrays),
        digest({"epochs": 3}, other_images, data.labels),
        digest({"epochs": 3}, data.images, data.labels.astype("int32")),
        digest({"epochs": 3}, data.images),
        # The same bytes.
        digest({"epochs": 3}, data.images.reshape(-1, 16, 64, 3), data.labels),
        digest({"epochs": 3}, data.images.view("int8"), data.labels),
    ]:
        checkpoint = Checkpoint(tmp_path, other)
        assert checkpoint.position() is None
        checkpoint.clear()
    assert Checkpoint(tmp_path, digest({"epochs": 3}, *data.arrays)).position() == state


def test_what_another_run_keeps_meanwhile_does_not_mix(tmp_path):
    """A state is read as a whole, though a run of the same may replace it at any time."""
    unsubscribe = kill_at("distil", 2)
    with pytest.raises(KilledError):
        distil(Checkpoint(tmp_path, "subject"))
    unsubscribe()
    ours = Checkpoint(tmp_path, "subject")
    position = ours.position()
    (file,) = tmp_path.iterdir()
    with np.load(file) as state:
        before = state["variable0"]
    Checkpoint(tmp_path, "subject").save(position, [np.full_like(before, 7)], [])
    mine = keras.Variable(np.zeros_like(before))
    ours.restore([mine])
    assert np.array_equal(mine, before)
