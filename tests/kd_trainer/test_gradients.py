"""Derivatives by the images, and gradients that are bounded by the task's."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from kd_helpers import changed, snapshot, tiny, tiny_data
from keras import layers, ops

from kd_trainer.distiller import Distiller
from kd_trainer.gradients import bounded_sum, taps_and_jacobians
from kd_trainer.losses import hint, jacobian_matching
from kd_trainer.methods import Stage, Step
from kd_trainer.networks.taps import differentiable, tapped


@pytest.fixture(autouse=True)
def _seed() -> None:
    keras.utils.set_random_seed(3)


def jacobian_terms(step: Step) -> dict:
    return {"jacobian": jacobian_matching(step.student["jacobian"], step.teacher["jacobian"])}


JACOBIAN = Stage(
    "distil",
    epochs=1,
    student_taps=("logits",),
    teacher_taps=("logits",),
    terms=jacobian_terms,
    weights={"jacobian": 1.0},
    jacobians={"jacobian": lambda own, teacher: ops.sum(ops.max(own["logits"], axis=-1))},
)


def test_the_derivative_is_that_of_finite_differences() -> None:
    network = differentiable(tapped(tiny(), ["logits"]))
    images = tiny_data(2).images.astype(np.float32)
    scalars = {name: lambda taps, n=n: ops.sum(taps["logits"][:, n]) for n, name in enumerate("ab")}
    taps, found = taps_and_jacobians(network, ops.convert_to_tensor(images), False, scalars)
    np.testing.assert_allclose(taps["logits"], network(images)["logits"], rtol=1e-5)
    rng = np.random.default_rng(0)
    for n, name in enumerate("ab"):
        direction = rng.normal(size=images.shape).astype(np.float32)
        ahead, behind = (
            np.array(network(images + step * direction)["logits"])[:, n].sum()
            for step in (0.05, -0.05)
        )
        slope = (np.array(found[name]) * direction).sum()
        assert slope == pytest.approx((ahead - behind) / 0.1, rel=0.02)


def fit(distiller: Distiller, epochs: int = 1) -> dict[str, list[float]]:
    distiller.compile(keras.optimizers.SGD(0.05))
    data = tiny_data(16)
    return distiller.fit(
        data.images, data.labels, batch_size=16, epochs=epochs, verbose=0, shuffle=False
    ).history


def test_a_step_trains_by_the_derivative_and_leaves_the_teacher() -> None:
    student, teacher = tiny(), tiny(name="teacher")
    before, untouched = snapshot(student), snapshot(teacher)
    distiller = Distiller(student, replace(JACOBIAN, task_weight=0.0), teacher)
    course = fit(distiller, epochs=20)["jacobian"]
    assert 0 < course[-1] < course[0]
    # What is added last, and before the last ReLU, does not change a derivative by the images.
    assert set(before) - changed(student, before) == {"logits/bias", "stage1_preact/beta"}
    assert not changed(teacher, untouched)


def test_the_moving_statistics_move_once_also_where_the_derivative_is_taken() -> None:
    student, teacher = tiny(), tiny(name="teacher")
    conv = keras.Model(student.inputs[0], student.get_layer("stem_block_conv").output)
    seen = np.array(conv(tiny_data(16).images))
    fit(Distiller(student, JACOBIAN, teacher))
    np.testing.assert_allclose(
        student.get_layer("stem_preact").moving_mean,
        0.1 * seen.mean((0, 1, 2)),
        rtol=1e-4,
        atol=1e-6,
    )


def test_gradients_are_bounded_variable_by_variable() -> None:
    task, rest = np.float32([3, 4]), np.float32([1, 1])
    long, short = np.float32([0, 20]), np.float32([0.5, 0])
    found = bounded_sum(
        {
            "task": [task, task, None, task],
            "rest": [rest, None, rest, None],
            "term": [long, short, long, None],
        },
        {"term": 0.5},
    )
    np.testing.assert_allclose(found[0], [4, 5 + 2.5])  # scaled to half of 5
    np.testing.assert_allclose(found[1], [3.5, 4])  # within the bound: as it is
    np.testing.assert_allclose(found[2], [1, 1])  # the task does not reach it: nothing
    np.testing.assert_allclose(found[3], [3, 4])


def linear(name: str) -> keras.Model:
    inputs = keras.Input((2, 2, 3), dtype="uint8")
    x = layers.Flatten(name="flat_block")(layers.Rescaling(1 / 255, name="scale_block")(inputs))
    return keras.Model(inputs, layers.Dense(4, name="logits")(x), name=name)


@pytest.mark.parametrize("eager", [True, False])
@pytest.mark.parametrize("bound", [1e9, 0.25])
def test_a_bounded_step_is_that_by_hand(bound: float, eager: bool) -> None:
    rate, decay = 0.5, 0.02
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (8, 2, 2, 3), dtype=np.uint8)
    labels = rng.integers(0, 4, 8)
    student, teacher = linear("student"), linear("teacher")
    stage = Stage(
        "distil",
        1,
        student_taps=("logits",),
        teacher_taps=("logits",),
        terms=lambda step: {"far": hint(step.student["logits"], step.teacher["logits"])},
        weights={"far": 10.0},
        gradient_bounds={"far": lambda epoch: bound * (epoch + 1)},
    )
    kernel, bias = (np.array(w, np.float64) for w in student.trainable_variables)
    teacher_kernel, teacher_bias = (np.array(w, np.float64) for w in teacher.get_weights())
    distiller = Distiller(student, stage, teacher, weight_decay=decay)
    distiller.compile(keras.optimizers.SGD(rate), run_eagerly=eager)
    measured = distiller.fit(images, labels, batch_size=8, shuffle=False, verbose=0).history

    x = images.reshape(8, -1) / 255
    logits, target = x @ kernel + bias, x @ teacher_kernel + teacher_bias
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    to_task = (probabilities - np.eye(4)[labels]) / 8
    to_far = 10 * 2 * (logits - target) / logits.size
    far = 10 * ((logits - target) ** 2).mean()
    task = -np.log(probabilities[np.arange(8), labels]).mean()
    decayed = 0.5 * decay * ((kernel**2).sum() + (bias**2).sum())
    assert measured["loss"][0] == pytest.approx(task + far + decayed, rel=1e-4)
    assert measured["far"][0] == pytest.approx(far / 10, rel=1e-4)
    for found, variable, of_task, of_far in [
        (student.get_weights()[0], kernel, x.T @ to_task, x.T @ to_far),
        (student.get_weights()[1], bias, to_task.sum(axis=0), to_far.sum(axis=0)),
    ]:
        most = bound * np.linalg.norm(of_task)
        of_far = of_far * min(1, most / np.linalg.norm(of_far))
        expected = variable - rate * (of_task + decay * variable + of_far)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)
