from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from golden_step import LABELS, LOGITS, golden_step
from kd_helpers import changed, sample, snapshot, tiny, tiny_data
from pydantic import ValidationError

from kd_trainer import training
from kd_trainer.checkpoint import Checkpoint
from kd_trainer.distiller import Distiller
from kd_trainer.errors import ConfigError
from kd_trainer.losses import kl_divergence, symmetric_divergence
from kd_trainer.methods import Stage, Step, create
from kd_trainer.networks import NETWORKS
from kd_trainer.recipe import Recipe

DIVERGENCES = {"paper": kl_divergence, "seed": symmetric_divergence}
PRESETS = pytest.mark.parametrize("preset", DIVERGENCES)
BATCH = 16


@pytest.fixture(autouse=True)
def _seed() -> None:
    keras.utils.set_random_seed(5)


def method(preset: str = "paper", **overrides):
    return create({"name": "dml", "preset": preset, **overrides})


def pair() -> tuple[keras.Model, keras.Model]:
    """Two networks of one name, with BatchNorm statistics of their own."""
    return tiny(width=4), tiny(width=6)


def copy(network: keras.Model) -> keras.Model:
    clone = keras.models.clone_model(network)
    clone.set_weights(network.get_weights())
    return clone


def train(
    network: keras.Model, stage: Stage, peer: keras.Model | None = None, steps: int = 1
) -> None:
    distiller = Distiller(network, stage, peer, weight_decay=0.01)
    distiller.compile(keras.optimizers.SGD(0.1, momentum=0.9), jit_compile=False)
    data = tiny_data(BATCH * steps)
    distiller.fit(data.images, data.labels, batch_size=BATCH, shuffle=False, verbose=0)


@pytest.mark.parametrize(
    ("preset", "of_student", "of_peer"),
    [("paper", 1.9400571, 1.7971899), ("seed", 1.8686235, 1.8686235)],
)
def test_the_divergences_are_the_golden_values(
    preset: str, of_student: float, of_peer: float
) -> None:
    [stage] = method(preset).stages(1)
    terms = stage.terms(golden_step(logits=LOGITS))
    assert float(terms["divergence"]) == pytest.approx(of_student, rel=1e-5)
    assert float(terms["peer_divergence"]) == pytest.approx(of_peer, rel=1e-5)
    log_p = LOGITS[1] - np.log(np.exp(LOGITS[1]).sum(1, keepdims=True))
    task = -log_p[np.arange(4), LABELS].mean()
    assert float(terms["peer_task"]) == pytest.approx(task, rel=1e-5)


@PRESETS
def test_it_has_one_stage_that_trains_both_networks(preset: str) -> None:
    [stage] = method(preset).stages(30)
    assert (stage.epochs, stage.task_weight, stage.teacher_mode) == (30, 1.0, "trained")
    assert stage.student_taps == stage.teacher_taps == ("logits",)
    assert stage.weights == {"divergence": 1.0, "peer_task": 1.0, "peer_divergence": 1.0}


def alone(network: keras.Model, other: keras.Model, divergence: Callable) -> None:
    """A step on the network's own loss, the other's predictions being numbers."""
    predictions = np.array(other(tiny_data(BATCH).images, training=True))

    def terms(step: Step) -> dict:
        return {"divergence": divergence(step.student["logits"], predictions)}

    train(network, Stage("alone", 1, terms=terms, weights={"divergence": 1.0}))


@pytest.mark.parametrize("preset", ["seed", pytest.param("paper", marks=pytest.mark.slow)])
def test_each_networks_step_is_that_of_its_own_loss_alone(preset: str) -> None:
    student, peer = pair()
    expected = copy(student), copy(peer)
    alone(expected[0], copy(peer), DIVERGENCES[preset])
    alone(expected[1], copy(student), DIVERGENCES[preset])
    [stage] = method(preset).stages(1)
    train(student, stage, peer)
    for found, network in zip((student, peer), expected, strict=True):
        for one, other in zip(found.get_weights(), network.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@PRESETS
def test_swapping_the_networks_swaps_the_result(preset: str) -> None:
    first, second = pair()
    other_first, other_second = copy(first), copy(second)
    [stage] = method(preset).stages(1)
    train(first, stage, second, steps=3)
    train(other_second, stage, other_first, steps=3)
    for network, swapped in [(first, other_first), (second, other_second)]:
        for one, other in zip(network.get_weights(), swapped.get_weights(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_the_peers_normalisation_moves() -> None:
    student, peer = pair()
    before = snapshot(peer)
    train(student, method().stages(1)[0], peer)
    moved = changed(peer, before)
    assert moved == set(before)
    assert {path for path in moved if "moving" in path}


def test_the_peer_is_a_new_network_of_the_teachers_architecture() -> None:
    student, teacher = tiny(width=4), tiny(name="teacher", width=6)
    before = snapshot(teacher)
    trained, peer = method().networks(student, teacher)
    assert trained is student
    assert [layer.get_config() for layer in peer.layers] == [
        layer.get_config() for layer in teacher.layers
    ]
    assert not {id(w) for w in peer.weights} & {id(w) for w in teacher.weights}
    kernels = [w for w in zip(peer.weights, teacher.weights, strict=True) if "kernel" in w[0].path]
    assert kernels
    for new, old in kernels:
        assert np.abs(np.array(new) - np.array(old)).max() > 0.01
    assert not changed(teacher, before)


def test_the_peer_may_start_from_the_teacher() -> None:
    teacher = tiny(name="teacher", width=6)
    _, peer = method(start="teacher").networks(tiny(), teacher)
    assert not {id(w) for w in peer.weights} & {id(w) for w in teacher.weights}
    for one, other in zip(peer.get_weights(), teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture
def _tiny_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(NETWORKS, "tiny", ("kd_helpers:tiny", {}))


def distil(teacher: keras.Model, checkpoint: Checkpoint | None = None, **overrides) -> keras.Model:
    network, _ = training.distil(
        teacher,
        "tiny",
        method(**overrides),
        5,
        Recipe(epochs=2, batch_size=8, learning_rate=0.05, crop_padding=1),
        0,
        train_set=tiny_data(16),
        eval_set=None,
        name="student",
        checkpoint=checkpoint,
    )
    return network


@pytest.mark.slow
@pytest.mark.usefixtures("_tiny_network")
@pytest.mark.parametrize("start", ["scratch", "teacher"])
def test_either_network_is_exported_and_the_teacher_stays(start: str) -> None:
    teacher = tiny(name="teacher", width=6)
    before = snapshot(teacher)
    assert distil(teacher, start=start).count_params() == tiny().count_params()
    exported = distil(teacher, start=start, export="peer")
    assert exported.count_params() == teacher.count_params()
    assert exported is not teacher
    assert not changed(teacher, before)


@pytest.mark.slow
@pytest.mark.usefixtures("_tiny_network")
def test_a_run_that_goes_on_ends_as_one_that_was_not_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = tiny(name="teacher", width=6)
    expected = distil(teacher, export="peer").get_weights()
    checkpoint = Checkpoint(tmp_path, "subject")
    save = checkpoint.save

    def killed(*arguments) -> None:
        save(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", killed)
    with pytest.raises(KeyboardInterrupt):
        distil(teacher, checkpoint, export="peer")
    found = distil(teacher, Checkpoint(tmp_path, "subject"), export="peer").get_weights()
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_both_networks_learn_real_images() -> None:
    data = sample("train", 64)
    student, peer = (tiny(100, width=width, size=32, stages=3) for width in (8, 12))
    before = [training.accuracy(network, data)["top1"] for network in (student, peer)]
    training.train(
        student,
        method().stages(25),
        Recipe(batch_size=16, learning_rate=0.05, flip=False, crop_padding=0),
        data,
        None,
        0,
        "student",
        teacher=peer,
    )
    after = [training.accuracy(network, data)["top1"] for network in (student, peer)]
    assert max(before) < 0.1
    assert min(after) > 0.3


def test_it_does_not_combine_with_other_methods() -> None:
    with pytest.raises(ConfigError, match="'dml' trains the teacher too"):
        create([{"name": "dml"}, {"name": "pkt"}])


def test_logits_are_not_standardized_for_it() -> None:
    with pytest.raises(ValidationError, match="'dml' trains the teacher too"):
        create({"name": "logit_standardization", "on": "dml"})


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("divergence", "reverse"),
        ("divergence_weight", 0.0),
        ("temperature", 0.0),
        ("start", "student"),
        ("export", "both"),
    ],
)
def test_a_bad_value_is_refused(parameter: str, value: object) -> None:
    with pytest.raises(ValidationError, match=parameter):
        method(**{parameter: value})
