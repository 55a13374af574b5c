from dataclasses import replace

import keras
import numpy as np
import pytest
from kd_helpers import TINY_CLASSES, changed, snapshot, tiny, tiny_data
from keras import layers, ops

from kd_trainer.distiller import Distiller
from kd_trainer.errors import ConfigError
from kd_trainer.losses import hint, kl_divergence
from kd_trainer.methods import Stage, Step, create
from kd_trainer.training import fit_taps


@pytest.fixture(autouse=True)
def _seed() -> None:
    keras.utils.set_random_seed(3)


def both_terms(step: Step) -> dict:
    return {
        "hint": hint(step.student["stage1"], step.teacher["stage1"]),
        "kl": kl_divergence(step.student["logits"], step.teacher["logits"], 2.0),
    }


def both(hint_weight: float = 3.0, kl_weight: float = 0.5) -> Stage:
    return Stage(
        "distil",
        epochs=1,
        student_taps=("stage1", "logits"),
        teacher_taps=("stage1", "logits"),
        terms=both_terms,
        weights={"hint": hint_weight, "kl": kl_weight},
        task_weight=0.7,
    )


def hint_only(**changes) -> Stage:
    arguments = {
        "name": "hint",
        "epochs": 1,
        "student_taps": ("stem",),
        "teacher_taps": ("stem",),
        "terms": lambda step: {"hint": hint(step.student["stem"], step.teacher["stem"])},
        "weights": {"hint": 1.0},
        "task_weight": 0.0,
    }
    return Stage(**(arguments | changes))


def fit(distiller: Distiller, steps: int = 1, eager: bool = True, **arguments) -> dict:
    """Takes steps of 16 images each, and returns what the last epoch measured."""
    distiller.compile(keras.optimizers.SGD(0.05, momentum=0.9), run_eagerly=eager)
    data = tiny_data(16 * steps)
    history = distiller.fit(
        data.images, data.labels, batch_size=16, verbose=0, shuffle=False, **arguments
    )
    return {name: values[-1] for name, values in history.history.items()}


def log_softmax(logits: np.ndarray) -> np.ndarray:
    logits = logits - logits.max(axis=1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def test_the_loss_is_the_sum_by_hand() -> None:
    data = tiny_data(16)
    student, teacher = tiny(), tiny(name="teacher")
    # Training mode for the student, inference mode for the teacher.
    taps = {}
    for network, training in [(student, True), (teacher, False)]:
        outputs = [network.get_layer(tap).output for tap in ("stage1", "logits")]
        found = keras.Model(network.inputs[0], outputs)(data.images, training=training)
        taps[network.name] = [np.array(x, np.float64) for x in found]
    (s_map, s_logits), (t_map, t_logits) = taps["tiny"], taps["teacher"]
    task = -log_softmax(s_logits)[np.arange(16), data.labels].mean()
    soft = log_softmax(t_logits / 2)
    kl = (np.exp(soft) * (soft - log_softmax(s_logits / 2))).sum(axis=1).mean()
    squares = sum((np.array(w, np.float64) ** 2).sum() for w in student.trainable_variables)
    mean_square = ((s_map - t_map) ** 2).mean()

    measured = fit(Distiller(student, both(), teacher, weight_decay=0.01), eager=False)
    assert measured["task"] == pytest.approx(task, rel=1e-4)
    assert measured["hint"] == pytest.approx(mean_square, rel=1e-4)
    assert measured["kl"] == pytest.approx(kl, rel=1e-3)
    expected = 0.7 * task + 3.0 * mean_square + 0.5 * kl + 0.5 * 0.01 * squares
    assert measured["loss"] == pytest.approx(expected, rel=1e-4)


def linear(name: str) -> keras.Model:
    inputs = keras.Input((2, 2, 3), dtype="uint8")
    x = layers.Flatten(name="flat_block")(layers.Rescaling(1 / 255, name="scale_block")(inputs))
    return keras.Model(inputs, layers.Dense(4, name="logits")(x), name=name)


@pytest.mark.parametrize("nesterov", [True, False])
def test_three_steps_are_those_by_hand(nesterov: bool) -> None:
    rate, momentum, decay, temperature = 0.5, 0.9, 0.02, 3.0
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (24, 2, 2, 3), dtype=np.uint8)
    labels = rng.integers(0, 4, 24)
    student, teacher = linear("student"), linear("teacher")
    [stage] = create({"name": "soft_logits", "preset": "seed", "temperature": temperature}).stages(
        1
    )
    kernel, bias = (np.array(w, np.float64) for w in student.trainable_variables)
    teacher_kernel, teacher_bias = (np.array(w, np.float64) for w in teacher.get_weights())

    distiller = Distiller(student, stage, teacher, weight_decay=decay)
    distiller.compile(keras.optimizers.SGD(rate, momentum=momentum, nesterov=nesterov))
    distiller.fit(images, labels, batch_size=8, shuffle=False, verbose=0)

    velocity = [np.zeros_like(kernel), np.zeros_like(bias)]
    for step in range(3):
        x = images[8 * step : 8 * step + 8].reshape(8, -1) / 255
        one_hot = np.eye(4)[labels[8 * step : 8 * step + 8]]
        logits, target = x @ kernel + bias, x @ teacher_kernel + teacher_bias
        to_logits = 0.7 * (np.exp(log_softmax(logits)) - one_hot) / 8
        soft = [np.exp(log_softmax(z / temperature)) for z in (logits, target)]
        to_logits += 0.3 * (soft[0] - soft[1]) / temperature / 8
        # The decay is coupled: it goes through the momentum. The bias has it too.
        gradients = [x.T @ to_logits + decay * kernel, to_logits.sum(axis=0) + decay * bias]
        for variable, speed, gradient in zip((kernel, bias), velocity, gradients, strict=True):
            speed *= momentum
            speed -= rate * gradient
            variable += momentum * speed - rate * gradient if nesterov else speed
    found = student.get_weights()
    np.testing.assert_allclose(found[0], kernel, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found[1], bias, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("mode", ["inference", "batch statistics"])
def test_the_teacher_stays_as_it_was(mode: str) -> None:
    student, teacher = tiny(), tiny(name="teacher")
    before = snapshot(teacher)
    stage = replace(both(), teacher_mode=mode)
    fit(Distiller(student, stage, teacher, weight_decay=0.01), steps=2)
    assert not changed(teacher, before)


def test_a_teacher_in_training_mode_normalises_by_the_batch() -> None:
    images = tiny_data(16).images
    student, teacher = tiny(), tiny(name="teacher")
    in_training = np.array(teacher(images, training=True))
    in_inference = np.array(teacher(images, training=False))
    assert np.abs(in_training - in_inference).max() > 0.01
    for mode, expected in [("inference", in_inference), ("batch statistics", in_training)]:
        distiller = Distiller(student, replace(both(), teacher_mode=mode), teacher)
        logits = distiller(images, training=True)["teacher"]["logits"]
        np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-5)


class CountCalls(layers.Layer):
    """Passes its input on and counts."""

    calls = 0

    def call(self, x):
        self.calls += 1
        return x


def counted(name: str) -> keras.Model:
    return tiny(name=name, first=CountCalls(name="count_block"))


def test_each_network_runs_once_a_step_however_many_taps_are_read() -> None:
    student, teacher = counted("student"), counted("teacher")
    distiller = Distiller(student, both(), teacher)
    of_student, of_teacher = (
        network.get_layer("count_block") for network in (distiller.student, distiller.teacher)
    )
    of_student.calls = of_teacher.calls = 0
    fit(distiller, steps=3)
    assert (of_student.calls, of_teacher.calls) == (3, 3)


def test_the_teacher_does_not_run_in_a_stage_that_does_not_read_it() -> None:
    assert Distiller(tiny(), Stage("task", 1), tiny(name="teacher")).teacher is None


def test_the_students_moving_statistics_move_once_a_step() -> None:
    student, teacher = tiny(), tiny(name="teacher")
    # What the first BatchNorm sees does not depend on any BatchNorm.
    conv = keras.Model(student.inputs[0], student.get_layer("stem_block_conv").output)
    seen = np.array(conv(tiny_data(16).images))
    fit(Distiller(student, both(), teacher))
    norm = student.get_layer("stem_preact")
    np.testing.assert_allclose(norm.moving_mean, 0.1 * seen.mean((0, 1, 2)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        norm.moving_variance, 0.9 + 0.1 * seen.var((0, 1, 2)), rtol=1e-4, atol=1e-6
    )


def test_a_hint_stage_trains_what_leads_to_the_taps_and_nothing_else() -> None:
    student, teacher = tiny(), tiny(name="teacher")
    before = snapshot(student)
    fit(Distiller(student, hint_only(), teacher, weight_decay=0.01), steps=2)
    leading = {path for path in before if path.startswith("stem")}
    assert len(leading) == 5
    assert changed(student, before) == leading


def test_fitnets_hint_stage_trains_what_leads_to_its_last_tap() -> None:
    hints, _ = create({"name": "fitnet", "preset": "paper", "taps": ("stage1",)}).stages(1)
    student, teacher = tiny(), tiny(name="teacher")
    method = create({"name": "fitnet", "preset": "paper", "taps": ("stage1",)})
    adapters = fit_taps(teacher, student, method, 1, tiny_data(16).labels)
    before = snapshot(student)
    fit(Distiller(student, hints, teacher, adapters, weight_decay=0.01))
    assert changed(student, before) == {path for path in before if path.startswith("st")}
    assert {path for path in before if not path.startswith("st")} == {
        "logits/kernel",
        "logits/bias",
    }


def test_a_task_stage_trains_everything() -> None:
    student = tiny()
    before = snapshot(student)
    fit(Distiller(student, Stage("task", 1)))
    assert changed(student, before) == set(before)


def test_adapters_are_trained_and_are_no_part_of_the_student() -> None:
    student, teacher = tiny(), tiny(name="teacher", width=6)
    method = create({"name": "fitnet", "preset": "crd", "taps": ("stage1",)})
    adapters = fit_taps(teacher, student, method, 1, tiny_data(16).labels)
    assert list(adapters) == ["stage1"]
    adapter, size = adapters["stage1"], student.count_params()
    before = snapshot(adapter)
    [stage] = method.stages(1)
    distiller = Distiller(student, stage, teacher, adapters)
    fit(distiller, steps=2)
    assert changed(adapter, before) == set(before)
    assert student.count_params() == size
    assert not {id(w) for w in adapter.weights} & {id(w) for w in student.weights}


def test_an_adapter_is_decayed_as_the_student_is() -> None:
    student, teacher = tiny(), tiny(name="teacher", width=6)
    method = create({"name": "fitnet", "preset": "crd", "taps": ("stage1",)})
    adapters = fit_taps(teacher, student, method, 1, tiny_data(16).labels)
    squares = sum(
        float((np.array(w, np.float64) ** 2).sum())
        for w in [*student.trainable_variables, *adapters["stage1"].trainable_variables]
    )
    [stage] = method.stages(1)
    measured = fit(Distiller(student, stage, teacher, adapters, weight_decay=0.1))
    expected = measured["task"] + 100 * measured["hint"] + 0.05 * squares
    assert measured["loss"] == pytest.approx(expected, rel=1e-4)


def test_the_terms_weights_follow_their_course() -> None:
    stage = both(hint_weight=lambda epoch: 4 - 0.5 * epoch)
    distiller = Distiller(tiny(), stage, tiny(name="teacher"))
    for epoch, expected in [(0, 4.0), (1, 3.5), (6, 1.0)]:
        distiller.set_epoch(epoch)
        measured = fit(distiller)
        without = 0.7 * measured["task"] + 0.5 * measured["kl"]
        assert measured["loss"] - without == pytest.approx(expected * measured["hint"], rel=1e-3)


def test_training_measures_every_term_and_validation_what_needs_no_teacher() -> None:
    student = tiny()
    data = tiny_data(20, seed=1)
    measured = fit(
        Distiller(student, both(), tiny(name="teacher"), weight_decay=0.01),
        validation_data=(data.images, data.labels),
    )
    validation = {name for name in measured if name.startswith("val_")}
    assert validation == {"val_loss", "val_task", "val_accuracy"}
    assert set(measured) - validation == {"loss", "task", "accuracy", "hint", "kl"}
    logits = np.array(student(data.images, training=False))
    task = -log_softmax(logits)[np.arange(20), data.labels].mean()
    assert measured["val_task"] == pytest.approx(task, rel=1e-4)
    assert measured["val_loss"] == pytest.approx(0.7 * task, rel=1e-4)
    assert measured["val_accuracy"] == pytest.approx((logits.argmax(1) == data.labels).mean())


def test_a_stage_without_the_task_measures_its_terms() -> None:
    measured = fit(Distiller(tiny(), hint_only(), tiny(name="teacher")))
    assert set(measured) == {"loss", "hint"}
    assert measured["loss"] == pytest.approx(measured["hint"])


def test_a_tap_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'teacher' has no tap named 'stage2'.*'stage1'"):
        Distiller(tiny(), hint_only(teacher_taps=("stage2",)), tiny(name="teacher"))


def test_the_labels_reach_the_terms() -> None:
    def terms(step: Step) -> dict:
        return {"label": ops.mean(ops.cast(step.labels, "float32"))}

    stage = Stage("task", 1, terms=terms, weights={"label": 1.0})
    measured = fit(Distiller(tiny(), stage))
    assert measured["label"] == pytest.approx(tiny_data(16).labels.mean())
    assert tiny_data(16).labels.max() < TINY_CLASSES
