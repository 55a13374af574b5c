from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from kd_trainer import methods
from kd_trainer.losses import cross_entropy, hint, kl_divergence


def wave(function: Callable, step: float, shift: float, *shape: int) -> np.ndarray:
    return function(step * np.arange(np.prod(shape)) + shift).reshape(shape)


# The inputs for which reference implementations were run (float64).
STUDENT_LOGITS = 3 * wave(np.sin, 0.7, 0.3, 4, 5)
TEACHER_LOGITS = 4 * wave(np.cos, 0.5, 0.0, 4, 5)
LABELS = np.array([1, 0, 3, 4])
STUDENT_MAP = wave(np.sin, 0.31, 0.1, 4, 4, 4, 3)
TEACHER_MAP = wave(np.cos, 0.23, 0.0, 4, 4, 4, 3)


class Case(NamedTuple):
    """A loss of a student's and a teacher's tensor, and inputs of it."""

    loss: Callable
    student: np.ndarray
    teacher: np.ndarray


CASES = {
    "kl_T1": Case(kl_divergence, STUDENT_LOGITS, TEACHER_LOGITS),
    "kl_T4": Case(lambda s, t: kl_divergence(s, t, 4.0), STUDENT_LOGITS, TEACHER_LOGITS),
    "hint": Case(hint, STUDENT_MAP, TEACHER_MAP),
}
# The task loss has labels where the others have a teacher.
WITH_TASK = CASES | {"task": Case(cross_entropy, STUDENT_LOGITS, LABELS)}

every_loss = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
every_loss_and_task = pytest.mark.parametrize("case", WITH_TASK.values(), ids=WITH_TASK)


def total(spec: dict, student: dict, teacher: dict, stage_name: str) -> float:
    """The weighted sum that a stage of a method has on some taps, at the stage's start."""
    [stage] = [s for s in methods.create(spec).stages(10) if s.name == stage_name]
    terms = stage.terms(methods.Step(student, teacher, LABELS))
    assert terms.keys() == stage.weights.keys()
    weights = {n: w(0) if callable(w) else w for n, w in stage.weights.items()}
    distillation = sum(weights[name] * float(value) for name, value in terms.items())
    if not stage.task_weight:
        return distillation
    return stage.task_weight * float(cross_entropy(student["logits"], LABELS)) + distillation


def test_cross_entropy_has_the_golden_value() -> None:
    assert float(cross_entropy(STUDENT_LOGITS, LABELS)) == pytest.approx(2.0187721, rel=1e-5)
    assert float(cross_entropy(TEACHER_LOGITS, LABELS)) == pytest.approx(2.5740108, rel=1e-5)


@pytest.mark.parametrize(
    ("temperature", "golden"),
    [(1, 1.9400571), (2, 0.69049506), (3, 0.33562886), (4, 0.19474189), (5, 0.12629297)],
)
def test_kl_divergence_has_the_golden_value(temperature: float, golden: float) -> None:
    found = kl_divergence(STUDENT_LOGITS, TEACHER_LOGITS, temperature)
    assert float(found) == pytest.approx(golden, rel=1e-5)


def test_kl_divergence_is_of_the_student_from_the_teacher_not_the_reverse() -> None:
    swapped = float(kl_divergence(TEACHER_LOGITS, STUDENT_LOGITS))
    assert swapped == pytest.approx(1.7971899, rel=1e-5)


def test_hint_has_the_golden_value() -> None:
    assert float(hint(STUDENT_MAP, TEACHER_MAP)) == pytest.approx(0.85670495, rel=1e-5)


@pytest.mark.parametrize(
    ("spec", "golden"),
    [
        ({"preset": "crd"}, 3.0061605),
        ({"preset": "seed"}, 1.5138291),
        # The seed's later repository.
        ({"preset": "seed", "temperature": 4.0}, 1.471563),
    ],
)
def test_soft_logits_has_the_golden_value(spec: dict, golden: float) -> None:
    student, teacher = {"logits": STUDENT_LOGITS}, {"logits": TEACHER_LOGITS}
    found = total({"name": "soft_logits"} | spec, student, teacher, "distil")
    assert found == pytest.approx(golden, rel=1e-5)


@pytest.mark.parametrize(
    ("preset", "golden"), [("upstream", 0.85670495), ("seed", 41.121838), ("paper", 20.560919)]
)
def test_a_fitnet_hint_has_the_golden_value(preset: str, golden: float) -> None:
    spec = {"name": "fitnet", "preset": preset, "taps": ("stage1",)}
    found = total(spec, {"stage1": STUDENT_MAP}, {"stage1": TEACHER_MAP}, "hint")
    assert found == pytest.approx(golden, rel=1e-5)


def test_fitnets_one_stage_has_the_golden_value() -> None:
    student = {"stage2": STUDENT_MAP, "logits": STUDENT_LOGITS}
    found = total({"name": "fitnet", "preset": "crd"}, student, {"stage2": TEACHER_MAP}, "distil")
    assert found == pytest.approx(2.0187721 + 100 * 0.85670495, rel=1e-5)


def test_fitnets_hints_of_several_taps_add_up() -> None:
    spec = {"name": "fitnet", "preset": "seed", "taps": ("stage1", "stage2")}
    student = {"stage1": STUDENT_MAP, "stage2": STUDENT_MAP[:, :2]}
    teacher = {"stage1": TEACHER_MAP, "stage2": TEACHER_MAP[:, :2]}
    half = np.sum((STUDENT_MAP[:, :2] - TEACHER_MAP[:, :2]) ** 2) / 4
    assert total(spec, student, teacher, "hint") == pytest.approx(41.121838 + half, rel=1e-5)


@every_loss
def test_a_student_like_its_teacher_has_no_loss(case: Case) -> None:
    assert float(case.loss(case.teacher, case.teacher)) == pytest.approx(0.0, abs=1e-6)


@every_loss_and_task
@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_the_loss_of_a_low_precision_model_is_float32(case: Case, precision: str) -> None:
    # Halves of whole numbers are exact in both types, so that only the arithmetic can differ.
    student = np.round(2 * case.student) / 2
    teacher = case.teacher
    low = [keras.ops.cast(student, precision)]
    if teacher is LABELS:
        low.append(teacher)
    else:
        teacher = np.round(2 * teacher) / 2
        low.append(keras.ops.cast(teacher, precision))
    found = case.loss(*low)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    assert found.shape == ()
    assert float(found) == pytest.approx(float(case.loss(student, teacher)), rel=1e-6)


@every_loss
def test_no_gradient_reaches_the_teacher(case: Case) -> None:
    student, teacher = tf.Variable(case.student), tf.Variable(case.teacher)
    with tf.GradientTape() as tape:
        loss = case.loss(student, teacher)
    to_student, to_teacher = tape.gradient(loss, [student, teacher])
    assert to_teacher is None
    assert np.abs(to_student).max() > 0


@every_loss_and_task
def test_the_gradient_is_that_of_finite_differences(case: Case) -> None:
    student = tf.Variable(case.student)
    with tf.GradientTape() as tape:
        loss = case.loss(student, case.teacher)
    gradient = tape.gradient(loss, student).numpy()
    step = 1e-2
    for index in np.ndindex(case.student.shape):
        ends = []
        for sign in (1, -1):
            moved = case.student.copy()
            moved[index] += sign * step
            ends.append(float(case.loss(moved, case.teacher)))
        slope = (ends[0] - ends[1]) / (2 * step)
        assert gradient[index] == pytest.approx(slope, rel=1e-3, abs=1e-4)


@every_loss_and_task
@pytest.mark.parametrize("scale", [0.0, 1e4])
def test_extreme_inputs_have_a_finite_loss_and_gradient(case: Case, scale: float) -> None:
    student = tf.Variable(scale * np.sign(case.student))
    teacher = case.teacher if case.teacher is LABELS else -scale * np.sign(case.student)
    with tf.GradientTape() as tape:
        loss = case.loss(student, teacher)
    assert np.isfinite(loss)
    assert np.isfinite(tape.gradient(loss, student)).all()


@every_loss_and_task
def test_the_loss_is_the_mean_of_the_samples_losses(case: Case) -> None:
    each = [float(case.loss(case.student[[n]], case.teacher[[n]])) for n in range(4)]
    whole = float(case.loss(case.student, case.teacher))
    assert whole == pytest.approx(np.mean(each), rel=1e-5)


@every_loss_and_task
def test_a_batch_twice_over_has_the_same_loss(case: Case) -> None:
    twice = case.loss(np.concatenate([case.student] * 2), np.concatenate([case.teacher] * 2))
    assert float(twice) == pytest.approx(float(case.loss(case.student, case.teacher)), rel=1e-6)
