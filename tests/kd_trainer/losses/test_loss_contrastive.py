import keras
import numpy as np
import pytest
from loss_cases import loss_and_gradients, slopes

from kd_trainer import losses
from kd_trainer.errors import ConfigError

SAMPLES, NORMALIZER = 50, 37.0


def reference(similarities: np.ndarray) -> float:
    """In probabilities, as the paper's code has it, but for its 1e-7."""
    probability = np.exp(similarities) / NORMALIZER
    noise = (similarities.shape[1] - 1) / SAMPLES
    total = 0.0
    for positive, *negatives in probability:
        total -= np.log(positive / (positive + noise))
        total -= sum(np.log(noise / (negative + noise)) for negative in negatives)
    return total / len(similarities)


def loss(student: list, teacher: list = ()):
    return losses.noise_contrastive(student[0], NORMALIZER, SAMPLES)


@pytest.mark.parametrize("negatives", [1, 7])
def test_the_value_and_the_gradient_are_those_of_plain_numpy(negatives: int) -> None:
    drawn = np.random.default_rng(negatives).normal(0, 4, (3, 1 + negatives))
    value, [gradient] = loss_and_gradients(loss, [drawn], [])
    assert value == pytest.approx(reference(drawn), rel=1e-5)
    [slope] = slopes(lambda moved: reference(moved[0]), [drawn])
    np.testing.assert_allclose(gradient, slope, rtol=1e-3, atol=1e-5)


def test_alike_positives_and_unlike_negatives_have_no_loss() -> None:
    similarities = np.array([[40.0, -40.0, -40.0]])
    assert float(loss([similarities])) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("size", [0.0, 1.0, 1e4, -1e4])
def test_sure_similarities_have_a_finite_loss_and_gradient(size: float) -> None:
    value, [gradient] = loss_and_gradients(loss, [np.array([[size, -size, size]])], [])
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_half_precision_gives_a_float32_loss() -> None:
    found = loss([np.array([[1.0, 2.0]], "float16")])
    assert keras.backend.standardize_dtype(found.dtype) == "float32"


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 2, 2)])
def test_no_negatives_are_refused_with_the_shape(shape: tuple) -> None:
    with pytest.raises(ConfigError, match=r"noise_contrastive: .*\(3,.*2 or more"):
        loss([np.zeros(shape)])
