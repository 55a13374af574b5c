import dataclasses
import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from kd_helpers import TINY_CLASSES, changed, sample, snapshot, tiny, tiny_data
from keras import layers

from kd_trainer import progress, training
from kd_trainer.data import Dataset, TrainingBatches
from kd_trainer.errors import ConfigError
from kd_trainer.methods import METHODS, Stage, create, method_class
from kd_trainer.networks import NETWORKS
from kd_trainer.recipe import Recipe

# Methods that compare student and teacher channel by channel and have no bridge.
EQUAL_CHANNELS = {"fsp", "kd_eid", "kd_svd", "mhgd"}
# Methods whose term is bounded by the task and small beside it, which is left out; and of all
# images at once, for the student's vector that is held against the teacher's may change.
ALONE = {"kd_eid", "kd_svd"}
PRESETS = [(name, preset) for name in METHODS for preset in method_class(name).PRESETS]
QUICK = Recipe(epochs=1, batch_size=32, learning_rate=0.05)
TINY = Recipe(epochs=2, batch_size=8, learning_rate=0.05, crop_padding=1)


@pytest.fixture
def _tiny_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of the table for the tiny network."""
    monkeypatch.setitem(NETWORKS, "tiny", ("kd_helpers:tiny", {}))


def train_tiny(stage: Stage, recipe: Recipe = TINY, count: int = 16, **arguments) -> tuple:
    keras.utils.set_random_seed(0)
    network = arguments.pop("network", None) or tiny()
    defaults = {"train_set": tiny_data(count), "eval_set": None, "seed": 0, "name": "tiny"}
    return network, training.train(network, [stage], recipe, **(defaults | arguments))


@pytest.fixture(scope="module")
def seasoned() -> keras.Model:
    """A small network, trained a little on real images."""
    keras.utils.set_random_seed(1)
    network = tiny(100, "teacher", width=8, size=32, stages=3)
    recipe = Recipe(batch_size=16, learning_rate=0.05)
    training.train(network, [Stage("task", 15)], recipe, sample("train", 64), None, 0, "teacher")
    return network


# The terms that fall, where not all do: two new networks start by predicting the same, nothing.
FALLING = {"dml": {"peer_task"}}

# The rate at which 80 steps show in a method's terms, where 0.002 is too low for that.
RATES = {
    "factor_transfer": 0.05,  # a mean that goes back through six convolutions
    "jacobian_matching": 0.05,  # from 1.4 for derivatives that have nothing in common
    "vid": 0.05,  # a mean whose larger part is the variances' logarithm, which 0.002 hardly moves
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_a_few_steps_lower_a_methods_own_term(
    name: str, preset: str, seasoned: keras.Model
) -> None:
    method = create({"name": name, "preset": preset})
    keras.utils.set_random_seed(0)
    width = 8 if name in EQUAL_CHANNELS else 4  # the teacher's is 8
    student = tiny(100, "student", width=width, size=32, stages=3)
    student, teacher = method.networks(student, seasoned)
    adapters = training.fit_taps(teacher, student, method, 1, sample("train", 64).labels)
    first = dataclasses.replace(method.stages(10)[0], epochs=20)
    if name in ALONE:
        first = dataclasses.replace(first, task_weight=0.0, gradient_bounds={})
    history = training.train(
        student,
        [first],
        Recipe(
            batch_size=64 if name in ALONE else 16,
            learning_rate=RATES.get(name, 0.002),
            flip=False,
            crop_padding=0,
        ),
        sample("train", 64),
        None,
        seed=0,
        name="student",
        teacher=teacher,
        adapters=adapters,
    )
    for term in FALLING.get(name, first.weights):
        values = [row[term] for row in history]
        assert values[-1] < 0.98 * values[0]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_network() -> None:
    networks = [
        training.train_alone(
            "resnet8", 100, QUICK, 1, train_set=sample("train", 96), eval_set=None, name="twin"
        )[0]
        for _ in range(2)
    ]
    for one, other in zip(*(network.get_weights() for network in networks), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.usefixtures("_tiny_network")
def test_a_student_starts_from_the_same_weights_distilled_or_alone() -> None:
    # Steps too small to move a float32 kernel; a distillation that weighs nothing.
    recipe = TINY.model_copy(update={"learning_rate": 1e-30, "epochs": 1})
    data = {"train_set": tiny_data(16), "eval_set": None, "name": "tiny"}
    alone, _ = training.train_alone("tiny", TINY_CLASSES, recipe, 4, **data)
    # With a connector, whose initial weights are random too.
    method = create({"name": "fitnet", "preset": "crd", "taps": ["stage1"]})
    student, _ = training.distil(
        tiny(name="teacher"), "tiny", method, TINY_CLASSES, recipe, 4, **data
    )
    for one, other in zip(alone.weights, student.weights, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-20)


@pytest.mark.usefixtures("_tiny_network")
def test_distilling_leaves_the_teacher_and_gives_the_student_alone(tmp_path: Path) -> None:
    teacher = tiny(name="teacher", width=6)
    before = snapshot(teacher)
    student, history = training.distil(
        teacher,
        "tiny",
        create({"name": "fitnet", "preset": "paper", "taps": ["stage1"]}),
        TINY_CLASSES,
        TINY.model_copy(update={"epochs": 3, "learning_rate": 0.01}),
        0,
        train_set=tiny_data(16),
        eval_set=tiny_data(8, seed=1),
        name="student",
        log_dir=tmp_path,
    )
    assert not changed(teacher, before)
    assert student.count_params() == tiny().count_params()
    assert [layer.name for layer in student.layers] == [layer.name for layer in tiny().layers]
    assert [(row["stage"], row["epoch"]) for row in history] == [
        ("hint", 1),
        ("distil", 1),
        ("distil", 2),
        ("distil", 3),
    ]
    assert [
        set(row) - {"stage", "epoch", "seconds", "learning_rate", "loss"} for row in history
    ] == [
        {"hint"},
        *[{"task", "kl", "accuracy", "val_loss", "val_task", "val_accuracy"}] * 3,
    ]
    # Weights 4, 2.5 and 1; the decay is the remainder, and moves little.
    rest = [
        row["loss"] - row["task"] - weight * row["kl"]
        for row, weight in zip(history[1:], (4.0, 2.5, 1.0), strict=True)
    ]
    assert rest == pytest.approx([rest[0]] * 3, abs=0.01)
    assert json.loads((tmp_path / "history.json").read_text(encoding="utf-8")) == history
    for stage, kinds in [("hint", ["train"]), ("distil", ["train", "validation"])]:
        events = sorted(path.parent.name for path in (tmp_path / stage).rglob("events.out.*"))
        assert events == kinds


def test_a_row_has_the_rate_its_epoch_was_trained_with() -> None:
    recipe = TINY.model_copy(update={"learning_rate": 0.1, "epochs": 4, "milestones": (0.5,)})
    _, history = train_tiny(Stage("task", 4), recipe)
    assert [row["learning_rate"] for row in history] == pytest.approx([0.1, 0.1, 0.01, 0.01])


def test_the_recipe_reaches_the_optimizer() -> None:
    """Full-batch steps on a linear network, with augmentation off, against those by hand."""
    recipe = Recipe(
        epochs=3,
        batch_size=16,
        learning_rate=0.3,
        momentum=0.8,
        nesterov=False,
        weight_decay=0.05,
        flip=False,
        crop_padding=0,
    )
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    x = layers.Flatten(name="flat_block")(layers.Rescaling(1 / 255, name="scale_block")(inputs))
    network = keras.Model(inputs, layers.Dense(TINY_CLASSES, name="logits")(x))
    kernel, bias = (w.astype(np.float64) for w in network.get_weights())
    data = tiny_data(16)
    train_tiny(Stage("task", 3, schedule="constant"), recipe, network=network)

    x, one_hot = data.images.reshape(16, -1) / 255, np.eye(TINY_CLASSES)[data.labels]
    speeds = [np.zeros_like(kernel), np.zeros_like(bias)]
    for _ in range(3):
        logits = x @ kernel + bias
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        error = (exponentials / exponentials.sum(axis=1, keepdims=True) - one_hot) / 16
        gradients = [x.T @ error + 0.05 * kernel, error.sum(axis=0) + 0.05 * bias]
        for variable, speed, gradient in zip((kernel, bias), speeds, gradients, strict=True):
            speed *= 0.8
            speed -= 0.3 * gradient
            variable += speed
    np.testing.assert_allclose(network.get_weights()[0], kernel, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(network.get_weights()[1], bias, rtol=1e-3, atol=1e-5)


@pytest.mark.filterwarnings("ignore:.*does not apply to tf.data functions")
def test_the_epochs_of_all_stages_see_orders_of_their_own() -> None:
    seen: list[int] = []

    class Watch(layers.Layer):
        def call(self, x):
            if tf.executing_eagerly():
                seen.append(int(x[0, 0, 0, 0]))
            return x

    count, recipe = 24, TINY.model_copy(update={"flip": False, "crop_padding": 0})
    images = (
        np.ones((count, 8, 8, 3), np.uint8) * np.arange(count, dtype=np.uint8)[:, None, None, None]
    )
    data = Dataset(images, np.arange(count) % TINY_CLASSES)
    stages = [Stage("one", 2), Stage("two", 1)]
    network = tiny(first=Watch(name="watch_block"))
    seen.clear()
    tf.config.run_functions_eagerly(True)
    try:
        training.train(network, stages, recipe, data, None, seed=7, name="tiny")
    finally:
        tf.config.run_functions_eagerly(False)
    expected = []
    for number in range(3):
        batches = TrainingBatches(data, recipe, seed=7, first_epoch=number)
        expected += [int(batches[index][0][0, 0, 0, 0]) for index in range(len(batches))]
    assert seen == expected


def test_the_best_epochs_weights_are_kept() -> None:
    # A rate high enough that accuracy goes up and down.
    recipe = TINY.model_copy(
        update={"epochs": 6, "learning_rate": 0.5, "keep": "best", "milestones": (0.99,)}
    )
    eval_set = tiny_data(40, seed=1)
    network, history = train_tiny(Stage("task", 6), recipe, eval_set=eval_set)
    accuracies = [row["val_accuracy"] for row in history]
    assert accuracies[-1] < max(accuracies)
    assert training.accuracy(network, eval_set)["top1"] == pytest.approx(max(accuracies))


def test_the_best_epoch_needs_an_eval_split() -> None:
    with pytest.raises(ConfigError, match=r"recipe\.keep is 'best'.*data\.eval_fraction"):
        train_tiny(Stage("task", 1), TINY.model_copy(update={"keep": "best"}))


@pytest.mark.slow
def test_the_best_epoch_is_kept_where_the_logits_are_trained_without_the_task() -> None:
    [stage] = create({"name": "soft_logits", "task_weight": 0.0}).stages(2)
    recipe = TINY.model_copy(update={"keep": "best", "learning_rate": 0.01})
    eval_set = tiny_data(40, seed=1)
    network, history = train_tiny(stage, recipe, eval_set=eval_set, teacher=tiny(name="teacher"))
    best = max(row["val_accuracy"] for row in history)
    assert training.accuracy(network, eval_set)["top1"] == pytest.approx(best)


def test_a_loss_that_is_not_finite_stops_training() -> None:
    def terms(step):
        stem = step.student["stem"]
        return {
            "fine": 0.0 * stem[0, 0, 0, 0],
            "broken": -keras.ops.log(-1.0 + 0 * keras.ops.sum(stem)),
        }

    stage = Stage(
        "hint", 3, student_taps=("stem",), terms=terms, weights={"fine": 1.0, "broken": 1.0}
    )
    with pytest.raises(FloatingPointError) as stopped:
        train_tiny(stage)
    message = str(stopped.value)
    assert "not finite: broken in stage 'hint', epoch 1, batch 1, of " in message
    assert "recipe.learning_rate" in message


def test_a_task_that_diverges_is_named() -> None:
    recipe = TINY.model_copy(update={"learning_rate": 1e38, "weight_decay": 0.0})
    with pytest.raises(FloatingPointError, match="finite: task in stage 'task', epoch"):
        train_tiny(Stage("task", 5), recipe)


def test_a_weight_decay_that_diverges_is_named() -> None:
    network = tiny()
    # A weight whose square is infinite, of a feature that is 0: the logits do not see it.
    normalisation, logits = network.get_layer("stage1_preact"), network.get_layer("logits")
    for scale_or_shift, value in zip(
        (normalisation.gamma, normalisation.beta), (0, -1), strict=True
    ):
        scale_or_shift.assign(np.concatenate([[value], np.asarray(scale_or_shift)[1:]]))
    kernel = np.array(logits.kernel)
    kernel[0] = 1e20
    logits.kernel.assign(kernel)
    recipe = TINY.model_copy(update={"weight_decay": 5e-4})
    with pytest.raises(FloatingPointError, match="finite: weight decay in stage 'task', epoch 1"):
        train_tiny(Stage("task", 1), recipe, network=network)


def test_progress_reaches_the_end() -> None:
    told: list[progress.Progress] = []
    unsubscribe = progress.subscribe(told.append)
    try:
        keras.utils.set_random_seed(0)
        stages = [Stage("one", 1), Stage("two", 2)]
        training.train(tiny(), stages, TINY, tiny_data(24), None, seed=0, name="student")
    finally:
        unsubscribe()
    ends = [moment for moment in told if moment.epoch_ended]
    assert [(m.stage, m.epoch, m.epochs, m.steps_done, m.steps) for m in ends] == [
        ("one", 1, 1, 3, 9),
        ("two", 1, 2, 6, 9),
        ("two", 2, 2, 9, 9),
    ]
    assert {moment.model for moment in told} == {"student"}
    assert all("task" in moment.logs for moment in ends)
    count = len(told)
    train_tiny(Stage("task", 1))
    assert len(told) == count


LABELS = tiny_data(16).labels


def test_a_method_whose_taps_a_network_lacks_is_refused() -> None:
    method = create({"name": "fitnet", "taps": ["stage1", "stage3"]})
    with pytest.raises(ConfigError, match=r"'tiny' has no tap named 'stage3'.*'stage1'"):
        training.fit_taps(tiny(name="teacher"), tiny(), method, 1, LABELS)
    method = create({"name": "fitnet", "taps": ["stage1"]})
    inputs = keras.Input((8, 8, 3))
    other = keras.Model(inputs, layers.Dense(TINY_CLASSES, name="logits")(layers.Flatten()(inputs)))
    with pytest.raises(ConfigError, match="has no tap named 'stage1'"):
        training.fit_taps(other, tiny(), method, 1, LABELS)


def test_networks_of_different_classes_are_refused() -> None:
    with pytest.raises(ConfigError, match="'teacher' has 7 classes, the student 'tiny' 5"):
        training.fit_taps(
            tiny(7, name="teacher"),
            tiny(),
            create({"name": "fitnet", "taps": ["stem"]}),
            1,
            LABELS,
        )


def test_a_teacher_whose_logits_have_another_name_is_refused_readably() -> None:
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, padding="same", name="stem")(inputs)
    x = layers.Dense(TINY_CLASSES, name="predictions")(layers.GlobalAveragePooling2D()(x))
    teacher = keras.Model(inputs, x, name="teacher")
    with pytest.raises(ConfigError, match="logits"):
        training.fit_taps(teacher, tiny(), create({"name": "fitnet", "taps": ["stem"]}), 1, LABELS)


def test_accuracy_is_that_by_hand() -> None:
    rng = np.random.default_rng(0)
    inputs = keras.Input((7,))
    network = keras.Model(inputs, layers.Activation("linear")(inputs))
    logits = rng.normal(size=(600, 7)).astype(np.float32)
    labels = rng.integers(0, 7, 600)
    own = logits[np.arange(600), labels]
    places = (logits > own[:, None]).sum(axis=1)
    found = training.accuracy(network, Dataset(logits, labels))
    assert found == {
        "top1": pytest.approx((places == 0).mean()),
        "top5": pytest.approx((places < 5).mean()),
    }
    assert 0 < found["top1"] < found["top5"] < 1
