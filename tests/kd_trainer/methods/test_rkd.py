import numpy as np
import pytest
from golden_step import EMBEDDINGS, LOGITS, golden_step, weighted
from pydantic import ValidationError

from kd_trainer.methods import create


def test_crd_is_the_golden_value() -> None:
    found = weighted(create({"name": "rkd"}), golden_step(pooled=EMBEDDINGS))
    assert found == pytest.approx(2.7043398, rel=1e-5)


def test_the_seed_is_the_golden_value() -> None:
    found = weighted(create({"name": "rkd", "preset": "seed"}), golden_step(logits=EMBEDDINGS))
    assert found == pytest.approx(10.485085, rel=1e-5)


def relations(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    points = points / np.linalg.norm(points, axis=1, keepdims=True)
    sides = points[None] - points[:, None]
    lengths = np.linalg.norm(sides, axis=-1, keepdims=True)
    directions = np.divide(sides, lengths, where=lengths > 0, out=np.zeros_like(sides))
    angles = np.einsum("ijd,ikd->ijk", directions, directions)
    return lengths[..., 0] / lengths[lengths > 0].mean(), angles


def test_the_paper_normalises_and_adds_the_divergence() -> None:
    def huber(pair: tuple[np.ndarray, np.ndarray]) -> float:
        size = abs(pair[0] - pair[1])
        return np.where(size < 1, size**2 / 2, size - 0.5).mean()

    distances, angles = zip(*(relations(side) for side in EMBEDDINGS), strict=True)
    # KL(teacher ‖ student) at T = 4 is golden.
    expected = 25 * huber(distances) + 50 * huber(angles) + 16 * 0.19474189
    step = golden_step(pooled=EMBEDDINGS, logits=LOGITS)
    found = weighted(create({"name": "rkd", "preset": "paper"}), step)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("preset", "taps", "weights"),
    [
        ("crd", ("pooled",), {"distance": 25, "angle": 50}),
        ("paper", ("pooled", "logits"), {"distance": 25, "angle": 50, "kl": 16}),
        ("seed", ("logits",), {"distance": 100, "angle": 200}),
    ],
)
def test_a_preset_has_one_stage(preset: str, taps: tuple, weights: dict) -> None:
    [stage] = create({"name": "rkd", "preset": preset}).stages(30)
    assert (stage.epochs, stage.task_weight, stage.weights) == (30, 1.0, weights)
    assert stage.student_taps == stage.teacher_taps == taps


def test_a_term_without_a_weight_is_left_out() -> None:
    method = create({"name": "rkd", "angle_weight": 0.0})
    [stage] = method.stages(30)
    assert set(stage.terms(golden_step(pooled=EMBEDDINGS))) == set(stage.weights) == {"distance"}


def test_networks_of_different_widths_are_compared() -> None:
    student, teacher = EMBEDDINGS
    step = golden_step(pooled=(student[:, :3], teacher))
    assert weighted(create({"name": "rkd"}), step) > 0


@pytest.mark.parametrize("parameter", ["distance_weight", "angle_weight", "kl_weight"])
def test_a_negative_weight_is_refused(parameter: str) -> None:
    with pytest.raises(ValidationError, match=parameter):
        create({"name": "rkd", parameter: -1.0})
