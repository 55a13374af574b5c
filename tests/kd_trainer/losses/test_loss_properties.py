"""What holds for every loss, or for every loss that says so."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from loss_cases import CASES, Case, loss_and_gradients, slopes


def cases(holds=lambda case: True) -> pytest.MarkDecorator:
    chosen = {name: case for name, case in CASES.items() if holds(case)}
    return pytest.mark.parametrize("case", chosen.values(), ids=chosen)


@cases()
@pytest.mark.parametrize("seed", [1, 2])
def test_the_value_is_that_of_plain_numpy(case: Case, seed: int) -> None:
    student, teacher = case.draw(batch=5, seed=seed)
    expected = case.reference(student, teacher)
    assert float(case.loss(student, teacher)) == pytest.approx(expected, rel=2e-5, abs=1e-7)


@cases()
def test_the_gradient_is_that_of_finite_differences(case: Case) -> None:
    student, teacher = case.draw(batch=3, seed=3)
    _, gradients = loss_and_gradients(case.loss, student, teacher)
    expected = slopes(lambda moved: case.reference(moved, teacher), student)
    largest = max(np.abs(slope).max() for slope in expected)
    assert largest > 0
    for gradient, slope in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, slope, rtol=1e-3, atol=1e-4 * largest)


@cases(lambda case: case.zero)
def test_a_student_like_its_teacher_has_no_loss(case: Case) -> None:
    _, teacher = case.draw()
    loss, gradients = loss_and_gradients(case.loss, teacher, teacher)
    # DIST has a constant in its correlation.
    assert loss == pytest.approx(0.0, abs=1e-5 if "dist" in case.name else 1e-6)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@cases()
def test_no_gradient_reaches_the_teacher(case: Case) -> None:
    student, teacher = ([tf.Variable(tensor) for tensor in side] for side in case.draw())
    with tf.GradientTape() as tape:
        loss = case.loss(student, teacher)
    to_student, to_teacher = tape.gradient(loss, [student, teacher])
    assert to_teacher == [None] * len(teacher)
    assert all(np.abs(gradient).max() > 0 for gradient in to_student)


DEGENERATE = {
    "zero features": lambda x: 0 * x,
    "a zero sample": lambda x: x * (np.arange(len(x)) > 0).reshape(-1, *[1] * (x.ndim - 1)),
    "identical samples": lambda x: np.repeat(x[:1], len(x), axis=0),
    "two identical samples": lambda x: x[[0, 0, 2, 3]],
    "a batch of one": lambda x: x[:1],
    "one value": np.ones_like,
    "tiny features": lambda x: 1e-12 * x,
    "large features": lambda x: 1e4 * x,
}


def degraded(case: Case, how: str, which: str) -> tuple[list, list]:
    student, teacher = case.draw()
    worse = [[DEGENERATE[how](tensor) for tensor in side] for side in (student, teacher)]
    if how == "a batch of one":
        return worse[0], worse[1]
    return worse[0] if "student" in which else student, worse[1] if "teacher" in which else teacher


@cases()
@pytest.mark.parametrize("which", ["student", "teacher", "student and teacher"])
@pytest.mark.parametrize("how", DEGENERATE)
def test_degenerate_inputs_have_a_finite_loss_and_gradient(
    case: Case, how: str, which: str
) -> None:
    loss, gradients = loss_and_gradients(case.loss, *degraded(case, how, which))
    assert np.isfinite(loss)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


@cases()
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_network_that_diverged_shows_in_the_loss(case: Case, value: float) -> None:
    student, teacher = case.draw()
    student[0] = np.full_like(student[0], value)
    assert not np.isfinite(case.loss(student, teacher))


@pytest.mark.parametrize("name", ["rkd_distance", "rkd_angle", "correlation_congruence"])
def test_a_batch_of_one_has_no_relations(name: str) -> None:
    loss, [gradient] = loss_and_gradients(CASES[name].loss, *CASES[name].draw(batch=1))
    assert loss == 0
    assert not gradient.any()


@cases()
@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_the_loss_of_a_low_precision_model_is_float32(case: Case, precision: str) -> None:
    # Halves of whole numbers are exact in both types, so that only the arithmetic can differ.
    exact = [[np.round(2 * tensor) / 2 for tensor in side] for side in case.draw()]
    low = [[keras.ops.cast(tensor, precision) for tensor in side] for side in exact]
    found = case.loss(*low)
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    assert found.shape == ()
    assert float(found) == pytest.approx(float(case.loss(*exact)), rel=1e-6)


@cases(lambda case: case.scale)
@pytest.mark.parametrize("scale", [1e-6, 0.37, 1e5])
def test_the_scale_of_either_side_does_not_matter(case: Case, scale: float) -> None:
    if case.name == "standardized_kl":
        # It has a constant beside the deviation.
        scale = max(scale, 0.1)
    student, teacher = case.draw()
    loss = float(case.loss(student, teacher))
    scaled = [[scale * tensor for tensor in side] for side in (student, teacher)]
    assert float(case.loss(scaled[0], teacher)) == pytest.approx(loss, rel=2e-5)
    assert float(case.loss(student, scaled[1])) == pytest.approx(loss, rel=2e-5)


def doubled(side: list) -> list:
    return [np.concatenate([x, x]) for x in side]


@cases(lambda case: case.per_sample)
def test_the_loss_is_the_mean_of_the_samples_losses(case: Case) -> None:
    student, teacher = case.draw()
    each = [
        float(case.loss([x[[n]] for x in student], [x[[n]] for x in teacher])) for n in range(4)
    ]
    assert float(case.loss(student, teacher)) == pytest.approx(np.mean(each), rel=1e-5)


@cases(lambda case: case.per_sample or case.name == "dist_intra")
def test_a_batch_twice_over_has_the_same_loss(case: Case) -> None:
    student, teacher = case.draw()
    twice = case.loss(doubled(student), doubled(teacher))
    assert float(twice) == pytest.approx(float(case.loss(student, teacher)), rel=1e-5)


@cases()
def test_the_batch_size_may_be_unknown_until_the_graph_runs(case: Case) -> None:
    student, teacher = case.draw(batch=5)
    specs = [
        [tf.TensorSpec([None, *x.shape[1:]], "float64") for x in side]
        for side in (student, teacher)
    ]
    graph = tf.function(case.loss, input_signature=specs)
    expected = float(case.loss(student, teacher))
    assert float(graph(student, teacher)) == pytest.approx(expected, rel=1e-5)
