import numpy as np
import pytest

from components.model_report.calibration import Bin, reliability


def test_bins_by_hand():
    # Top probabilities 0.5, 0.6, 0.75, 0.8, 1.0; bins end at 0.25, 0.5, 0.75 and 1.
    probabilities = np.array([[0.5, 0.5], [0.4, 0.6], [0.75, 0.25], [0.8, 0.2], [0.0, 1.0]])
    labels = np.array([0, 0, 0, 0, 0])
    assert reliability(labels, probabilities, bins=4) == [
        Bin(0.0, 0.25, 0, 0.0, 0.0),
        Bin(0.25, 0.5, 1, 1.0, 0.5),  # an edge belongs to the bin below it
        Bin(0.5, 0.75, 2, 0.5, pytest.approx(0.675)),
        Bin(0.75, 1.0, 2, 0.5, pytest.approx(0.9)),
    ]


def test_every_image_is_in_one_bin():
    rng = np.random.default_rng(3)
    probabilities = rng.dirichlet(np.full(100, 0.02), 500).astype("float32")
    probabilities[0] = np.eye(100, dtype="float32")[0] * np.nextafter(np.float32(1), 2)
    bins = reliability(rng.integers(0, 100, 500), probabilities)
    assert len(bins) == 15
    assert sum(bin.images for bin in bins) == 500
    assert all(bin.low - 1e-6 <= bin.confidence <= bin.high + 1e-6 for bin in bins if bin.images)


def test_the_bins_give_the_calibration_error():
    rng = np.random.default_rng(5)
    probabilities = rng.dirichlet(np.full(10, 0.3), 400)
    labels = rng.integers(0, 10, 400)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == labels
    # Guo et al. (2017), equation 3, in words of its own.
    error = 0.0
    for low in np.arange(15) / 15:
        inside = (confidence > low) & (confidence <= low + 1 / 15)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    found = sum(
        bin.images / 400 * abs(bin.accuracy - bin.confidence)
        for bin in reliability(labels, probabilities)
    )
    assert found == pytest.approx(error)
