"""KD-SVD where an SVD's own gradient explodes: at equal and at zero singular values."""

import numpy as np
import numpy_losses as reference
import pytest
from loss_cases import CASES, loss_and_gradients, slopes

from kd_trainer import losses
from kd_trainer.losses import eigenvectors
from kd_trainer.losses.singular_values import leading_singular_vectors, right_singular_vectors


def with_values(values: list[float], pixels: int, channels: int, seed: int) -> np.ndarray:
    """A sample's map with these singular values, the others zero."""
    random = np.random.default_rng(seed)
    left = np.linalg.qr(random.normal(size=(pixels, pixels)))[0][:, : len(values)]
    right = np.linalg.qr(random.normal(size=(channels, channels)))[0][:, : len(values)]
    side = int(pixels**0.5)
    return ((left * values) @ right.T).reshape(1, side, side, channels)


def student_like(values: list[float]) -> list[np.ndarray]:
    # More pixels than channels and fewer: both Gram matrices.
    return [with_values(values, 16, 4, 1), with_values(values, 4, 6, 2)]


# Near enough that no vector of the student is chosen where it has none of its own.
TEACHER = [
    x + 0.1 * np.random.default_rng(3).normal(size=x.shape) for x in student_like([4, 2, 1, 0.5])
]


@pytest.mark.parametrize(
    ("values", "tolerance"),
    [
        ([3.0, 2.0, 1.0, 0.5], 1e-3),
        ([3.0, 2.97, 1.0, 0.5], 2e-3),
        ([3.0, 2.997, 1.0, 0.5], 2e-2),
        ([3.0, 2.0, 1.0, 1.0], 1e-3),
        ([3.0, 2.0, 1.0, 0.0], 1e-3),
        ([3.0, 2.0], 1e-3),
        ([3.0], 1e-3),
    ],
    ids=str,
)
def test_the_gradient_is_right(values: list[float], tolerance: float) -> None:
    student = student_like(values)
    _, gradients = loss_and_gradients(losses.kd_svd, student, TEACHER)
    expected = slopes(lambda moved: reference.kd_svd(moved, TEACHER), student)
    for gradient, slope in zip(gradients, expected, strict=True):
        largest = np.abs(slope).max()
        np.testing.assert_allclose(gradient, slope, atol=tolerance * largest)


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize(
    "values", [[1.0] * 4, [2.0, 2.0, 1.0, 1.0], [1.0, 1.0, 0.0, 0.0], [1.0, 1 - 1e-7], []], ids=str
)
def test_the_gradient_is_finite_and_not_huge_where_there_is_none(k: int, values: list) -> None:
    student = student_like(values)
    loss, gradients = loss_and_gradients(lambda s, t: losses.kd_svd(s, t, k), student, TEACHER)
    assert np.isfinite(loss)
    assert all(np.abs(gradient).max() < 1e5 for gradient in gradients)


def test_a_step_down_the_gradient_lowers_the_loss() -> None:
    student, teacher = CASES["kd_svd"].draw(seed=5)
    loss, gradients = loss_and_gradients(losses.kd_svd, student, teacher)
    square = sum((gradient**2).sum() for gradient in gradients)
    step = 0.01 * loss / square
    moved = [x - step * g for x, g in zip(student, gradients, strict=True)]
    assert float(losses.kd_svd(moved, teacher)) == pytest.approx(0.99 * loss, rel=1e-3)


@pytest.mark.parametrize(("size", "channels"), [(4, 3), (2, 6)])
def test_the_vectors_are_those_of_an_svd(size: int, channels: int) -> None:
    feature = np.random.default_rng(6).normal(size=(5, size, size, channels)).astype("float32")
    values, vectors = right_singular_vectors(feature, 3)
    _, expected, rows = np.linalg.svd(feature.reshape(5, -1, channels), full_matrices=False)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(values, expected[:, :3], rtol=1e-4)
    cosines = np.einsum("bcn,bnc->bn", vectors, rows[:, :3])
    np.testing.assert_allclose(np.abs(cosines), 1, rtol=1e-5)


@pytest.mark.parametrize("shape", [(4, 8, 8, 32), (4, 4, 4, 40)])
def test_the_leading_vectors_are_found_by_iteration(shape, monkeypatch) -> None:
    random = np.random.default_rng(7)
    # A mean stands out, as after a ReLU.
    feature = (random.normal(size=shape) + 2).astype("float32")
    values, vectors = right_singular_vectors(feature, 1)
    own = eigenvectors.eigenvectors

    def of_what_they_span(gram):
        assert gram.shape[-1] == 4
        return own(gram)

    monkeypatch.setattr(eigenvectors, "eigenvectors", of_what_they_span)
    found_values, found = leading_singular_vectors(feature, 1)
    np.testing.assert_allclose(found_values, values, rtol=1e-5)
    np.testing.assert_allclose(found, vectors, atol=1e-4)


def test_of_what_is_not_finite_nothing_fails() -> None:
    feature = np.full((2, 8, 8, 32), np.nan, "float32")
    values, vectors = leading_singular_vectors(feature, 1)
    assert (values.shape, vectors.shape) == ((2, 1), (2, 32, 1))


def test_leading_vectors_that_hardly_lead_are_found_all_the_same() -> None:
    feature = np.random.default_rng(8).normal(size=(4, 8, 8, 32)).astype("float32")
    values, vectors = right_singular_vectors(feature, 3)
    found_values, found = leading_singular_vectors(feature, 3)
    np.testing.assert_allclose(found_values, values, rtol=1e-5)
    np.testing.assert_allclose(found, vectors, atol=1e-5)


def after_relu(seed: int, channels: int = 3) -> tuple[list, list]:
    """Maps of student and teacher, more pixels than channels and fewer."""
    random = np.random.default_rng(seed)
    shapes = [(4, 4, 4, channels), (4, 2, 2, 6)]
    return tuple([np.maximum(random.normal(size=s), 0) for s in shapes] for _ in range(2))


@pytest.mark.parametrize("options", [{}, {"k": 3}, {"k": 3, "spare": 0, "scaled": False}], ids=str)
def test_value_and_gradient_are_right_of_maps_after_a_relu(options: dict) -> None:
    student, teacher = after_relu(1)
    loss, gradients = loss_and_gradients(
        lambda s, t: losses.kd_svd(s, t, **options), student, teacher
    )
    assert loss == pytest.approx(reference.kd_svd(student, teacher, **options), rel=1e-4)
    expected = slopes(lambda moved: reference.kd_svd(moved, teacher, **options), student)
    for gradient, slope in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(gradient, slope, atol=2e-3 * np.abs(slope).max())


def test_the_first_vectors_of_maps_after_a_relu_are_held_together_as_they_are_positive() -> None:
    student, teacher = after_relu(2)

    def first(feature: np.ndarray) -> np.ndarray:
        return abs(np.linalg.svd(feature.reshape(4, -1, feature.shape[-1]))[2][:, 0])

    relations = [
        np.exp(-((first(side[1])[:, :, None] - first(side[0])[:, None]) ** 2) / 8)
        for side in (student, teacher)
    ]
    expected = ((relations[0] - relations[1]) ** 2).sum() / 4
    # The student offers no other vector, which could be nearer.
    assert float(losses.kd_svd(student, teacher, spare=0)) == pytest.approx(expected, rel=1e-4)


def test_the_vectors_of_the_largest_value_are_positive_after_a_relu() -> None:
    for feature in after_relu(3)[0]:
        _, vectors = right_singular_vectors(feature.astype("float32"), 2)
        assert np.min(vectors[:, :, 0]) > -1e-6
        assert np.min(np.sum(vectors, axis=1)) > 0


def test_student_and_teacher_may_have_different_resolutions() -> None:
    student, teacher = CASES["kd_svd"].draw()
    larger = [np.repeat(np.repeat(x, 2, 1), 2, 2) for x in student]
    loss = float(losses.kd_svd(student, teacher))
    assert float(losses.kd_svd(larger, teacher)) == pytest.approx(loss, rel=1e-4)
