"""What a loss does not depend on, beside the scale, and how losses make up one another."""

import numpy as np
import numpy_losses as reference
import pytest
from loss_cases import CASES, LABELS, STUDENT_LOGITS, TEACHER_LOGITS, loss_and_gradients

from kd_trainer import losses


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


def orthogonal(random: np.random.Generator, size: int) -> np.ndarray:
    return np.linalg.qr(random.normal(size=(size, size)))[0]


def on_pixels(matrix: np.ndarray, feature: np.ndarray) -> np.ndarray:
    batch, height, width, channels = feature.shape
    pixels = feature.reshape(batch, height * width, channels)
    return np.einsum("pq,bqc->bpc", matrix, pixels).reshape(feature.shape)


@pytest.mark.parametrize(
    "name",
    ["rkd_distance", "rkd_angle", "similarity_preserving", "probabilistic_knowledge_transfer"],
)
def test_relations_of_samples_know_no_basis(name: str, random: np.random.Generator) -> None:
    student, teacher = CASES[name].draw()
    turned = [x.reshape(4, -1) @ orthogonal(random, x[0].size) for x in (student[0], teacher[0])]
    loss = pytest.approx(float(CASES[name].loss(student, teacher)), rel=2e-5)
    assert float(CASES[name].loss([turned[0]], teacher)) == loss
    assert float(CASES[name].loss(student, [turned[1]])) == loss
    assert float(CASES[name].loss([-student[0]], teacher)) == loss


@pytest.mark.parametrize("name", ["rkd_distance", "rkd_angle"])
def test_rkd_knows_no_origin(name: str, random: np.random.Generator) -> None:
    student, teacher = CASES[name].draw()
    loss = pytest.approx(float(CASES[name].loss(student, teacher)), rel=1e-4)
    assert float(CASES[name].loss([student[0] + 10 * random.normal(size=6)], teacher)) == loss
    assert float(CASES[name].loss(student, [teacher[0] + 10 * random.normal(size=8)])) == loss


@pytest.mark.parametrize("batch", [7, 8, 9, 21])
def test_rkd_angle_is_whole_whatever_its_chunks(batch: int, random: np.random.Generator) -> None:
    case = CASES["rkd_angle"]
    student, teacher = case.draw(batch)
    loss, [gradient] = loss_and_gradients(case.loss, student, teacher)
    assert loss == pytest.approx(case.reference(student, teacher), rel=1e-5)
    way = random.normal(size=student[0].shape)
    ends = [case.reference([student[0] + step * way], teacher) for step in (1e-6, -1e-6)]
    assert (gradient * way).sum() == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-3)


@pytest.mark.parametrize("name", ["kd_svd", "kd_svd_k2"])
def test_kd_svd_knows_no_order_of_pixels_and_no_sign(
    name: str, random: np.random.Generator
) -> None:
    case = CASES[name]
    student, teacher = case.draw()
    loss = pytest.approx(float(case.loss(student, teacher)), rel=1e-4)
    for stage in range(2):
        for change in (
            lambda x: on_pixels(orthogonal(random, x.shape[1] * x.shape[2]), x),
            lambda x: -x,
        ):
            changed = [list(student), list(teacher)]
            changed[0][stage] = change(student[stage])
            assert float(case.loss(changed[0], teacher)) == loss
            changed[1][stage] = change(teacher[stage])
            assert float(case.loss(student, changed[1])) == loss


def test_fsp_knows_no_order_of_pixels(random: np.random.Generator) -> None:
    student, teacher = (
        [x, random.normal(size=(4, 4, 4, 5))] for x in random.normal(size=(2, 4, 4, 4, 3))
    )
    order = np.eye(16)[random.permutation(16)]
    moved = [on_pixels(order, x) for x in student]
    loss = float(losses.flow_of_solution_procedure(student, teacher))
    again = float(losses.flow_of_solution_procedure(moved, teacher))
    assert again == pytest.approx(loss, rel=1e-6)
    # But of both maps alike.
    other = float(losses.flow_of_solution_procedure([moved[0], student[1]], teacher))
    assert other != pytest.approx(loss, rel=1e-3)


@pytest.mark.parametrize("shift", [-7.0, 3.0])
def test_standardized_logits_know_no_origin(shift: float) -> None:
    found = losses.standardize_logits(2.5 * STUDENT_LOGITS + shift)
    np.testing.assert_allclose(found, losses.standardize_logits(STUDENT_LOGITS), atol=2e-6)
    np.testing.assert_allclose(np.mean(found, axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(np.std(found, axis=1, ddof=1), 1, rtol=1e-6)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_kl_divergence_is_made_of_the_decoupled_parts(temperature: float) -> None:
    for n, label in enumerate(LABELS):
        one = STUDENT_LOGITS[[n]], TEACHER_LOGITS[[n]]
        target, others = (
            float(losses.decoupled(*one, np.array([label]), *weights, temperature)) / temperature**2
            for weights in ((1.0, 0.0), (0.0, 1.0))
        )
        p = reference.softmax(one[1] / temperature)[0, label]
        whole = float(losses.kl_divergence(*one, temperature))
        assert whole == pytest.approx(target + (1 - p) * others, rel=1e-5, abs=1e-6)


def test_decoupled_is_finite_for_certain_predictions() -> None:
    certain = 500 * np.eye(5)[:4]
    for student, teacher in [(certain, certain[::-1]), (certain, -certain), (-certain, certain)]:
        loss, [gradient] = loss_and_gradients(
            lambda s, t: losses.decoupled(s[0], t[0], LABELS, 1.0, 8.0, 1.0),
            [student],
            [teacher.copy()],
        )
        assert np.isfinite(loss)
        assert np.isfinite(gradient).all()


def test_activation_boundary_at_the_boundaries() -> None:
    # (student, teacher): the teacher at 0 is off; on the margin the loss is 0 from either side.
    for student, teacher, expected in [
        (0.0, 0.0, 1.0),
        (0.0, 1e-6, 1.0),
        (-1.0, 0.0, 0.0),
        (1.0, 0.5, 0.0),
        (1.0, 0.0, 4.0),
        (-1.0, 0.5, 4.0),
        (1.5, 0.5, 0.0),
        (-1.5, -0.5, 0.0),
        (-0.5, -9.0, 0.25),
    ]:
        loss = losses.activation_boundary([[student]], [[teacher]])
        assert float(loss) == pytest.approx(expected), (student, teacher)
    assert float(losses.activation_boundary([[0.0]], [[1.0]], margin=3.0)) == 9.0


def test_jacobians_of_opposite_directions_are_two_apart(random: np.random.Generator) -> None:
    one = random.normal(size=(4, 8, 8, 3))
    assert float(losses.jacobian_matching(-3 * one, one)) == pytest.approx(2.0)
    # A dead student is one away, and stays.
    loss, [gradient] = loss_and_gradients(
        lambda s, t: losses.jacobian_matching(s[0], t[0]), [0 * one], [one]
    )
    assert loss == pytest.approx(1.0)
    assert not gradient.any()
