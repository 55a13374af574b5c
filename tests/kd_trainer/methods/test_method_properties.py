"""What holds for every method of the table, however it works.

A method that is added is tested by these too. Where a property cannot hold by a method's nature,
a table here says so, and why.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from kd_helpers import changed, sample, snapshot, tiny
from keras import layers, ops

from kd_trainer import progress
from kd_trainer.checkpoint import Checkpoint
from kd_trainer.data import Dataset
from kd_trainer.distiller import Distiller
from kd_trainer.errors import ConfigError
from kd_trainer.methods import METHODS, Method, Setting, Stage, Step, create, method_class
from kd_trainer.networks.taps import tap_shapes
from kd_trainer.recipe import Recipe
from kd_trainer.training import fit_taps, train

CLASSES, SIZE = 5, 16
EPOCHS = 4

# Hyper-parameters that fit eight images.
SMALL: dict[str, dict[str, Any]] = {"crd": {"negatives": 16}}

# Terms that a student has that is like its teacher.
LIKE_ITS_TEACHER = {
    ("activation_boundary", "boundary"): "it is asked for a margin that no teacher has",
    ("dml", "peer_task"): "the peer's own task",
}

# Terms that are no mean over samples: of a batch twice over they are another number.
NOT_PER_SAMPLE = {
    "correlation_congruence": "neighbours in the batch",
    "crd": "draws negatives",
    "kd_eid": "summed over the batch, as upstream",
    "kd_svd": "summed over the batch, as upstream",
    "mhgd": "attention among the batch, heads dropped at random",
    "pkt": "each sample's neighbours are the batch",
    "rkd": "pairs and triples of the batch, a sample and itself among them",
    "similarity_preserving": "a matrix of the batch by the batch",
}

# What may be done to a student's taps and leaves the terms as they are.
INVARIANCES: dict[str, tuple[str, ...]] = {
    "attention_transfer": ("scale",),
    "fsp": ("mirror",),
    "kd_eid": ("scale", "mirror", "pixel basis"),
    "kd_svd": ("scale", "mirror", "pixel basis"),
    "logit_standardization": ("scale",),
    "mhgd": ("scale", "mirror", "pixel basis"),
    "nst": ("scale",),
    "pkt": ("scale", "basis"),
    "rkd": ("scale", "basis", "origin"),
    "similarity_preserving": ("scale", "basis"),
}

# Methods that need three classes.
NOT_OF_TWO_CLASSES = {
    "dkd": "with two classes there is nothing among the others",
    "logit_standardization/paper_dkd": "rests on dkd",
}

# Methods that soft_logits does not combine with.
ALONE = {
    "overhaul": "its teacher is in the mode 'batch statistics', that of soft_logits in inference",
}

PRESETS = [f"{name}/{preset}" for name in METHODS for preset in method_class(name).PRESETS]
DEFAULTS = [f"{name}/{next(iter(method_class(name).PRESETS))}" for name in METHODS]
every_method = pytest.mark.parametrize("case", DEFAULTS)
SLOW = pytest.mark.slow  # what keeps the rest of this module at about a minute
every_preset = pytest.mark.parametrize(
    "case", [case if case in DEFAULTS else pytest.param(case, marks=SLOW) for case in PRESETS]
)


class CountCalls(layers.Layer):
    """Passes its input on and counts."""

    calls = 0

    def call(self, x: Any) -> Any:
        self.calls += 1
        return x


@cache
def images() -> Dataset:
    real = sample("train", 8)
    return Dataset(real.images[:, ::2, ::2], real.labels % CLASSES)


def network(name: str, **changes: Any) -> keras.Model:
    return tiny(name=name, **({"num_classes": CLASSES, "size": SIZE, "stages": 3} | changes))


def counted(name: str) -> keras.Model:
    return network(name, first=CountCalls(name="count_block"))


def name_of(case: str) -> str:
    return case.split("/")[0]


def method_of(case: str) -> Method:
    name, preset = case.split("/")
    return create({"name": name, "preset": preset, **SMALL.get(name, {})})


# Networks that are only looked at are built once.
seen = cache(network)


@cache
def fitted(case: str) -> tuple[Method, dict[str, keras.Layer], dict[str, tuple[int, ...]]]:
    """The method, adapters for two networks of one shape, and that shape."""
    keras.utils.set_random_seed(0)
    method, shapes = method_of(case), tap_shapes(seen("teacher"))
    setting = Setting(shapes, shapes, seen("teacher"), images().labels)
    return method, method.adapters(setting), shapes


def stages_and_taps(
    case: str, batch: int = 4, **other: tuple[int, ...]
) -> Iterator[tuple[Stage, Step]]:
    """Each stage with a step of random taps; `other` are shapes that are not the network's."""
    method, adapters, shapes = fitted(case)
    rng = np.random.default_rng(1)
    for stage in method.stages(EPOCHS):
        sides = []
        for taps in (stage.student_taps, stage.teacher_taps):
            drawn = {}
            for tap in (*taps, *stage.jacobians):
                shape = (shapes | dict.fromkeys(stage.jacobians, (SIZE, SIZE, 3)) | other)[tap]
                value = rng.normal(size=(batch, *shape)).astype("float32")
                # What a ReLU leaves, where there is one.
                signed = tap.endswith("_preact") or tap in (*stage.jacobians, "logits")
                drawn[tap] = value if signed else np.maximum(value, 0)
            sides.append(drawn)
        for layer_name, layer in adapters.items():
            layer.trainable = layer_name in stage.adapters
        labels = np.arange(batch) % 2
        yield stage, Step(*sides, labels, adapters, np.arange(batch))


def terms(stage: Stage, step: Step) -> dict[str, Any]:
    """The terms; no variable of an adapter is changed."""
    with keras.StatelessScope():
        return stage.terms(step)


def floats(stage: Stage, step: Step) -> dict[str, float]:
    return {name: float(value) for name, value in terms(stage, step).items()}


def gradients(stage: Stage, step: Step) -> dict[str, np.ndarray]:
    """The gradient of the sum of the terms by each of the student's taps."""

    def total(student: dict) -> Any:
        return sum(terms(stage, replace(step, student=student)).values())

    if not step.student:
        return {}
    if keras.backend.backend() == "jax":
        import jax

        found = jax.grad(total)({tap: ops.convert_to_tensor(x) for tap, x in step.student.items()})
    else:
        import tensorflow as tf

        student = {tap: tf.Variable(x) for tap, x in step.student.items()}
        with tf.GradientTape() as tape:
            value = total(student)
        found = tape.gradient(value, student, unconnected_gradients="zero")
    return {tap: np.array(gradient) for tap, gradient in found.items()}


def of_both(step: Step, change: Callable[[np.ndarray], np.ndarray]) -> Step:
    student, teacher = (
        {tap: change(x) for tap, x in taps.items()} for taps in (step.student, step.teacher)
    )
    return replace(step, student=student, teacher=teacher)


@every_preset
def test_a_student_like_its_teacher_has_no_loss(case: str) -> None:
    for stage, step in stages_and_taps(case):
        if not stage.student_taps or stage.adapters:
            continue  # what an adapter makes of the student is not like the teacher at first
        for term, value in floats(stage, replace(step, student=step.teacher)).items():
            if (name_of(case), term) not in LIKE_ITS_TEACHER:
                assert value == pytest.approx(0, abs=2e-5), term


DEGENERATE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "zero features": lambda x: 0 * x,
    "identical samples": lambda x: np.repeat(x[:1], len(x), axis=0),
    "a batch of one": lambda x: x[:1],
}


@pytest.mark.parametrize("how", DEGENERATE)
@every_preset
def test_terms_and_gradients_are_finite_for_degenerate_taps(case: str, how: str) -> None:
    for stage, step in stages_and_taps(case):
        worse = of_both(step, DEGENERATE[how])
        if how == "a batch of one":
            worse = replace(worse, labels=step.labels[:1], indices=step.indices[:1])
        for term, value in floats(stage, worse).items():
            assert np.isfinite(value), term
        for tap, gradient in gradients(stage, worse).items():
            assert np.isfinite(gradient).all(), tap


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
@every_preset
def test_the_terms_of_a_low_precision_model_are_float32_scalars(case: str, precision: str) -> None:
    for stage, step in stages_and_taps(case):
        low = of_both(step, lambda x: ops.cast(x, precision))
        found = terms(stage, low)
        assert set(found) == set(stage.weights)
        for term, value in found.items():
            assert keras.backend.standardize_dtype(value.dtype) == "float32", term
            assert value.shape == (), term


@pytest.mark.parametrize(
    "case", [case for case in DEFAULTS if case.split("/")[0] not in NOT_PER_SAMPLE]
)
def test_a_batch_twice_over_has_the_same_terms(case: str) -> None:
    for stage, step in stages_and_taps(case):
        twice = replace(
            of_both(step, lambda x: np.concatenate([x, x])), labels=np.tile(step.labels, 2)
        )
        assert floats(stage, twice) == pytest.approx(floats(stage, step), rel=1e-4, abs=1e-6)


def orthogonal(size: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(2).normal(size=(size, size)))[0].astype("float32")


def on_pixels(feature: np.ndarray) -> np.ndarray:
    pixels = feature.reshape(len(feature), -1, feature.shape[-1])
    return (orthogonal(pixels.shape[1]) @ pixels).reshape(feature.shape)


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "scale": lambda x: 0.37 * x,
    "basis": lambda x: (x.reshape(len(x), -1) @ orthogonal(x[0].size)).reshape(x.shape),
    "origin": lambda x: x + np.random.default_rng(3).normal(size=x.shape[1:]).astype("float32"),
    "mirror": lambda x: x[:, :, ::-1],
    "pixel basis": on_pixels,
}
EVERY_INVARIANCE = [
    (f"{name}/{next(iter(method_class(name).PRESETS))}", change)
    for name, changes in INVARIANCES.items()
    if name in METHODS
    for change in changes
]


@pytest.mark.parametrize(("case", "change"), EVERY_INVARIANCE)
def test_what_a_method_does_not_look_at_does_not_matter(case: str, change: str) -> None:
    for stage, step in stages_and_taps(case):
        moved = {tap: CHANGES[change](x) for tap, x in step.student.items()}
        expected = pytest.approx(floats(stage, step), rel=1e-3, abs=1e-6)
        assert floats(stage, replace(step, student=moved)) == expected


@every_preset
def test_two_classes_are_enough_or_are_refused(case: str) -> None:
    refuses = {case, name_of(case)} & set(NOT_OF_TWO_CLASSES)
    for stage, step in stages_and_taps(case, logits=(2,)):
        if refuses:
            with pytest.raises(ConfigError, match=r"\(4, 2\).*at least 3 classes"):
                terms(stage, step)
        else:
            assert all(np.isfinite(value) for value in floats(stage, step).values())


OTHER_TEACHERS: dict[str, dict[str, Any]] = {
    "wider": {"width": 6},
    "larger": {"first": layers.UpSampling2D(2, name="up_block")},
    "smaller": {"first": layers.MaxPooling2D(2, name="down_block")},
}


@cache
def other_teacher(which: str) -> keras.Model:
    return network("teacher", **OTHER_TEACHERS[which])


@pytest.mark.parametrize(
    "which", ["wider", *(pytest.param(which, marks=SLOW) for which in ("larger", "smaller"))]
)
@every_method
def test_a_teacher_of_another_shape_is_bridged_or_refused_with_both_shapes(
    case: str, which: str
) -> None:
    method = method_of(case)
    student, teacher = method.networks(seen("student"), other_teacher(which))
    try:
        fit_taps(teacher, student, method, EPOCHS, images().labels)
    except ConfigError as refusal:
        text = re.sub(r"\s+", " ", str(refusal))
        read = {tap for stage in method.stages(EPOCHS) for tap in stage.teacher_taps}
        shapes = [tap_shapes(one) for one in (student, teacher)]
        assert any(all(_named(side[tap], text) for side in shapes) for tap in read), text


def _named(shape: tuple[int, ...], text: str) -> bool:
    return ", ".join(map(str, shape)) in text or "x".join(map(str, shape[:2])) in text


def fit_once(distiller: Distiller, steps: int = 1) -> dict[str, float]:
    data = images()
    labels: Any = data.labels
    if distiller.stage.reads_indices:
        labels = {"label": labels, "index": np.arange(len(labels))}
    distiller.compile(keras.optimizers.SGD(1e-3), run_eagerly=True)
    history = distiller.fit(
        data.images, labels, batch_size=8, epochs=steps, verbose=0, shuffle=False
    )
    return {name: values[-1] for name, values in history.history.items()}


@dataclass(frozen=True)
class Seen:
    """What a step of one stage did."""

    stage: Stage
    measured: dict[str, float]
    calls: dict[str, int]  # of the networks that the stage reads
    moved: tuple[np.ndarray, np.ndarray] | None  # a moving mean, and what it should be
    trained: set[int]  # ids of the variables


@dataclass(frozen=True)
class Run:
    student: keras.Model
    in_teachers_place: keras.Model
    teacher_changed: set[str]
    adapters: dict[str, keras.Layer]
    stages: list[Seen]


@cache
def run(case: str) -> Run:
    """A step of every stage of a method, one after another."""
    keras.utils.set_random_seed(0)
    method, teacher = method_of(case), counted("teacher")
    before = snapshot(teacher)
    student, in_place = method.networks(counted("student"), teacher)
    adapters = fit_taps(in_place, student, method, EPOCHS, images().labels)
    stages = []
    for stage in method.stages(EPOCHS):
        distiller = Distiller(student, stage, in_place, adapters, weight_decay=5e-4)
        networks = {"student": distiller.student, "teacher": distiller.teacher}
        counters = {
            role: one.get_layer("count_block") for role, one in networks.items() if one is not None
        }
        # What the first BatchNorm sees depends on no other.
        first = keras.Model(student.inputs[0], student.get_layer("stem_block_conv").output)
        seen_mean = np.array(first(images().images)).mean((0, 1, 2))
        mean = student.get_layer("stem_preact").moving_mean
        expected = 0.9 * np.array(mean) + 0.1 * seen_mean
        for counter in counters.values():
            counter.calls = 0
        measured = fit_once(distiller)
        stages.append(
            Seen(
                stage,
                measured,
                {role: counter.calls for role, counter in counters.items()},
                (np.array(mean), expected) if distiller.student is not None else None,
                {id(variable) for variable in distiller.trainable_variables},
            )
        )
    return Run(student, in_place, changed(teacher, before), adapters, stages)


@every_method
def test_each_network_runs_once_a_step(case: str) -> None:
    for stage in run(case).stages:
        if stage.stage.gradient_bounds and keras.backend.backend() == "jax":
            continue  # traced for each part, and run once by XLA
        assert all(count == 1 for count in stage.calls.values()), stage.stage.name


@every_method
def test_the_students_moving_statistics_move_once_a_step(case: str) -> None:
    for stage in run(case).stages:
        if stage.moved is not None:
            np.testing.assert_allclose(*stage.moved, rtol=1e-3, atol=1e-5)


@every_method
def test_the_teacher_stays_as_it_was(case: str) -> None:
    found = run(case)
    assert not found.teacher_changed
    if all(stage.stage.teacher_mode != "trained" for stage in found.stages):
        teachers = {id(variable) for variable in found.in_teachers_place.variables}
        assert not any(stage.trained & teachers for stage in found.stages)


@every_method
def test_the_student_ends_as_the_plain_network(case: str) -> None:
    found, plain = run(case), counted("student")
    assert [(type(x), x.name) for x in found.student.layers] == [
        (type(x), x.name) for x in plain.layers
    ]
    assert [(w.path, w.shape) for w in found.student.weights] == [
        (w.path, w.shape) for w in plain.weights
    ]
    own = {id(variable) for variable in found.student.variables}
    others = [*found.adapters.values(), found.in_teachers_place]
    assert not own & {id(variable) for other in others for variable in other.variables}


@every_method
def test_everything_that_is_measured_is_finite(case: str) -> None:
    for stage in run(case).stages:
        assert set(stage.stage.weights) <= set(stage.measured)
        assert all(np.isfinite(value) for value in stage.measured.values())


OF_ONE_TEACHER = [
    case for case in DEFAULTS if method_class(case.split("/")[0]).networks is Method.networks
]


@SLOW
@pytest.mark.parametrize(
    "case", [case for case in OF_ONE_TEACHER if not case.startswith("soft_logits/")]
)
def test_a_method_combines_with_soft_logits(case: str) -> None:
    name, preset = case.split("/")
    method = create(
        [{"name": name, "preset": preset, **SMALL.get(name, {})}, {"name": "soft_logits"}]
    )
    if name in ALONE:
        with pytest.raises(ConfigError, match="do not combine"):
            method.stages(EPOCHS)
        return
    keras.utils.set_random_seed(0)
    student = network("student")
    adapters = fit_taps(seen("teacher"), student, method, EPOCHS, images().labels)
    last = method.stages(EPOCHS)[-1]
    assert "soft_logits_kl" in last.weights
    before = snapshot(student)
    distiller = Distiller(student, last, seen("teacher"), adapters)
    measured = fit_once(distiller)
    assert {*last.weights, "loss", "task", "accuracy"} == set(measured)
    assert all(np.isfinite(value) for value in measured.values())
    assert changed(student, before) == set(before)


class KilledError(Exception):
    pass


def trained(case: str, checkpoint: Checkpoint | None = None) -> list[np.ndarray]:
    """Two epochs of every stage, always from the same start."""
    keras.utils.set_random_seed(1)
    method = method_of(case)
    student, teacher = method.networks(network("student"), network("teacher"))
    adapters = fit_taps(teacher, student, method, EPOCHS, images().labels)
    stages = [replace(stage, epochs=2) for stage in method.stages(EPOCHS)]
    recipe = Recipe(epochs=2, batch_size=4, learning_rate=1e-3, crop_padding=1)
    train(
        student, stages, recipe, images(), None, 5, "student", None, checkpoint, teacher, adapters
    )
    return list(snapshot(student).values())


@SLOW
@every_method
def test_a_killed_training_goes_on_to_the_same_weights(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = Distiller.compile

    def eagerly(self: Distiller, optimizer: Any, **arguments: Any) -> None:
        compiled(self, optimizer, run_eagerly=True)

    if keras.backend.backend() == "tensorflow":
        monkeypatch.setattr(Distiller, "compile", eagerly)  # a graph would take seconds to trace
    expected = trained(case)
    checkpoint = Checkpoint(tmp_path, "subject")
    for stage in method_of(case).stages(EPOCHS):

        def killer(moment: progress.Progress, name: str = stage.name) -> None:
            if (moment.stage, moment.epoch, moment.epoch_ended) == (name, 2, True):
                raise KilledError

        unsubscribe = progress.subscribe(killer)
        with pytest.raises(KilledError):
            trained(case, checkpoint)
        unsubscribe()
    found = trained(case, checkpoint)
    for one, other in zip(expected, found, strict=True):
        assert one.tobytes() == other.tobytes()


def test_the_tables_name_methods_and_presets_that_there_are() -> None:
    named = {*SMALL, *NOT_PER_SAMPLE, *INVARIANCES, *ALONE, *(name for name, _ in LIKE_ITS_TEACHER)}
    assert named <= set(METHODS)
    assert set(NOT_OF_TWO_CLASSES) <= {*METHODS, *PRESETS}
    assert {change for _, change in EVERY_INVARIANCE} <= set(CHANGES)
