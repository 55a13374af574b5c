import keras
import numpy as np
import pytest
from feature_cases import STUDENT, TEACHER, draw, weighted
from kd_helpers import changed, snapshot, tiny, tiny_data
from keras import ops

from kd_trainer import training
from kd_trainer.distiller import Distiller
from kd_trainer.errors import ConfigError
from kd_trainer.gradients import taps_and_jacobians
from kd_trainer.methods import create
from kd_trainer.networks.taps import differentiable, tapped

PRESETS = ("paper", "logit")


def method(preset: str, **config: object):
    return create({"name": "jacobian_matching", "preset": preset, **config})


def small(preset: str, **config: object):
    taps = {"tap": "stage1", "attention_taps": ["stem", "stage1"]} if preset == "paper" else {}
    return method(preset, **taps, **config)


def unit(one: np.ndarray) -> np.ndarray:
    rows = one.reshape(len(one), -1)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize(("preset", "attention"), [("paper", 1000 * 0.035169419), ("logit", 0)])
def test_the_total_is_that_of_plain_numpy(preset: str, attention: float) -> None:
    taps = {"attention_taps": ["one"]} if preset == "paper" else {}
    [stage] = method(preset, jacobian_weight=3.0, **taps).stages(10)
    jacobians = draw(4, 8, 8, 3), draw(4, 8, 8, 3, seed=1)
    found = weighted(
        stage, STUDENT | {"jacobian": jacobians[0]}, TEACHER | {"jacobian": jacobians[1]}
    )
    apart = np.linalg.norm(unit(jacobians[0]) - unit(jacobians[1]), axis=1).mean()
    assert found == pytest.approx(2.0187721 + 3 * apart + attention, rel=1e-5)


def test_the_stages_of_the_presets() -> None:
    [stage] = method("paper").stages(30)
    assert (stage.name, stage.epochs, stage.task_weight) == ("distil", 30, 1.0)
    assert stage.student_taps == stage.teacher_taps == ("stage1", "stage2", "stage3")
    assert stage.weights == {"jacobian": 1.0, "attention": 1000.0}
    [stage] = method("logit").stages(30)
    assert stage.student_taps == stage.teacher_taps == ("logits",)
    assert stage.weights == {"jacobian": 1.0}


def values(preset: str, own: dict, teacher: dict) -> np.ndarray:
    """What is derived, for each image."""
    if preset == "logit":
        own, teacher = own["logits"], teacher["logits"]
    else:
        own, teacher = (
            (np.array(t["stage1"]) ** 2).mean(-1).reshape(2, -1) for t in (own, teacher)
        )
    return np.array(own)[np.arange(2), np.array(teacher).argmax(1)]


@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_derived_stands_where_the_teachers_is_largest(preset: str) -> None:
    keras.utils.set_random_seed(0)
    [stage] = small(preset).stages(1)
    student, teacher = (
        differentiable(tapped(tiny(name=name), ["stage1", "logits"]))
        for name in ("student", "teacher")
    )
    images = tiny_data(2).images.astype("float32")
    targets = teacher(images)
    scalar = stage.jacobians["jacobian"]
    assert float(scalar(student(images), targets)) == pytest.approx(
        values(preset, student(images), targets).sum(), rel=1e-5
    )
    # In inference mode an image's derivative is its own, and that of finite differences.
    _, found = taps_and_jacobians(
        student,
        ops.convert_to_tensor(images),
        False,
        {"jacobian": lambda taps: scalar(taps, targets)},
    )
    direction = draw(*images.shape, seed=2)
    ahead, behind = (
        values(preset, student(images + step * direction), targets) for step in (0.02, -0.02)
    )
    slopes = (np.array(found["jacobian"]) * direction).sum((1, 2, 3))
    np.testing.assert_allclose(slopes, (ahead - behind) / 0.04, rtol=0.05, atol=1e-3)


@pytest.mark.parametrize(
    "preset", ["paper", *(pytest.param(p, marks=pytest.mark.slow) for p in PRESETS if p != "paper")]
)
def test_steps_bring_the_derivatives_together_and_leave_the_teacher(preset: str) -> None:
    keras.utils.set_random_seed(0)
    student, teacher = tiny(), tiny(name="teacher", width=6)
    before, data = snapshot(teacher), tiny_data(16)
    jacobian = small(preset, jacobian_weight=20.0)
    training.fit_taps(teacher, student, jacobian, 1, data.labels)
    distiller = Distiller(student, jacobian.stages(1)[0], teacher)
    distiller.compile(keras.optimizers.SGD(0.02))
    history = distiller.fit(data.images, data.labels, batch_size=16, epochs=25, verbose=0).history
    assert history["jacobian"][-1] < 0.9 * history["jacobian"][0]
    assert not changed(teacher, before)


def test_maps_of_another_size_are_refused_where_their_attention_is_derived() -> None:
    larger = tiny(name="larger", size=8, stages=2)
    jacobian = method("paper", tap="stage1", attention_taps=["stem"])
    [stage] = jacobian.stages(1)
    scalar = stage.jacobians["jacobian"]
    with pytest.raises(
        ConfigError, match=r"stage1.*\(2, 4, 4, 3\).*\(2, 8, 8, 5\).*derived: logit"
    ):
        scalar({"stage1": draw(2, 4, 4, 3)}, {"stage1": draw(2, 8, 8, 5)})
    pooled = method("paper", tap="pooled", attention_taps=["stem"])
    with pytest.raises(ConfigError, match=r"pooled has the shape .*feature maps"):
        training.fit_taps(larger, tiny(), pooled, 1, tiny_data(4).labels)


BAD_VALUES = {
    "derived": {"derived": "task"},
    "jacobian_weight": {"jacobian_weight": 0},
    "attention_taps": {"attention_taps": []},
    "attention_weight": {"attention_weight": 0},
}


@pytest.mark.parametrize("what", BAD_VALUES)
def test_a_bad_hyper_parameter_is_refused(what: str) -> None:
    with pytest.raises(ValueError, match=what):
        method("paper", **BAD_VALUES[what])
