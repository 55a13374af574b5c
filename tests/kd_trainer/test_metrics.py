import numpy as np
import pytest

from kd_trainer.metrics import (
    agreement,
    divergence,
    expected_calibration_error,
    top_k_accuracy,
)

pytestmark = pytest.mark.light


def test_top_k_accuracy() -> None:
    scores = np.array([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2], [0.3, 0.1, 0.6], [0.2, 0.5, 0.3]])
    labels = np.array([1, 1, 1, 0])
    assert top_k_accuracy(scores, labels) == 1 / 4
    assert top_k_accuracy(scores, labels, 2) == 2 / 4
    assert top_k_accuracy(scores, labels, 3) == 1


def test_of_equal_scores_the_lower_class_comes_first() -> None:
    assert top_k_accuracy(np.zeros((2, 3)), np.array([0, 1])) == 0.5
    assert top_k_accuracy(np.zeros((2, 3)), np.array([1, 2]), 2) == 0.5


def rows(*confidences: float) -> np.ndarray:
    """Two classes; the first has the confidence."""
    return np.array([[top, 1 - top] for top in confidences])


def test_calibration_error_by_hand() -> None:
    # Of 15 bins, 0.95 and 0.97 lie in (14/15, 1], 0.61 and 0.65 in (9/15, 10/15].
    probabilities = rows(0.95, 0.97, 0.61, 0.65)
    labels = np.array([0, 1, 0, 0])
    high = 2 / 4 * abs(1 / 2 - 0.96)
    low = 2 / 4 * abs(2 / 2 - 0.63)
    assert expected_calibration_error(probabilities, labels) == pytest.approx(high + low)
    # In one bin they offset each other.
    assert expected_calibration_error(probabilities, labels, bins=1) == pytest.approx(
        abs(3 / 4 - (0.95 + 0.97 + 0.61 + 0.65) / 4)
    )


def test_calibration_bins_are_open_below_and_closed_above() -> None:
    # 0.5 belongs to (0, 0.5], whose images are right; 0.75 to (0.5, 1], whose image is wrong.
    found = expected_calibration_error(rows(0.5, 0.75), np.array([0, 1]), bins=2)
    assert found == pytest.approx((abs(1 - 0.5) + abs(0 - 0.75)) / 2)


def test_confident_and_right_is_calibrated() -> None:
    assert expected_calibration_error(np.eye(4), np.arange(4)) == 0
    assert expected_calibration_error(np.eye(4), np.array([1, 2, 3, 0])) == 1


def test_agreement() -> None:
    assert agreement(rows(0.9, 0.8, 0.2, 0.4), rows(0.6, 0.1, 0.3, 0.7)) == 0.5


def test_divergence_by_hand() -> None:
    teacher, student = rows(0.9, 0.5), rows(0.6, 0.5)
    by_hand = (0.9 * np.log(0.9 / 0.6) + 0.1 * np.log(0.1 / 0.4)) / 2
    assert divergence(teacher, student) == pytest.approx(by_hand)
    assert divergence(teacher, teacher) == 0
    assert divergence(teacher, student) != pytest.approx(divergence(student, teacher))


def test_a_probability_of_zero_gives_a_large_finite_divergence() -> None:
    assert divergence(np.array([[0.5, 0.5]]), np.array([[1.0, 0.0]])) == pytest.approx(
        0.5 * np.log(0.5) + 0.5 * np.log(0.5 / 1e-7)
    )
    assert divergence(np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]])) == 0


def test_what_is_not_a_number_stays_none() -> None:
    assert np.isnan(divergence(rows(0.5), rows(float("nan"))))
