import keras
import numpy as np
import pytest
from kd_helpers import sample
from keras import layers
from user_models import model, saved

from kd_trainer.data import Dataset
from kd_trainer.errors import ConfigError
from kd_trainer.networks import build, raw_pixels, user


@pytest.fixture(scope="module")
def data() -> Dataset:
    return sample("train", 1500)


@pytest.fixture(scope="module")
def trained(data: Dataset) -> keras.Model:
    """Logits from pixels of 0..1."""
    keras.utils.set_random_seed(0)
    network = model(width=16, first=layers.Rescaling(1.0), activation=None)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(keras.optimizers.Adam(5e-3), loss)
    network.fit(data.images / 255, data.labels, batch_size=50, epochs=4, verbose=0)
    return network


def after(network: keras.Model, *first: layers.Layer) -> keras.Model:
    """The network behind other layers."""
    x = inputs = keras.Input((32, 32, 3))
    for layer in first:
        x = layer(x)
    return keras.Model(inputs, network(x))


def loaded(network: keras.Model, folder) -> keras.Model:
    return user.load(saved(network, folder), {}, (32, 32, 3)).network


@pytest.mark.slow
def test_normalisation_within_the_model(trained: keras.Model, data: Dataset, tmp_path) -> None:
    network = loaded(after(trained, layers.Rescaling(1 / 255)), tmp_path)
    raw_pixels.check_trained(network, data.images[:500], data.labels[:500])


@pytest.mark.parametrize(
    "to_unit",
    [
        [layers.Rescaling(1.0)],
        [layers.Rescaling(0.5, 0.5)],  # of -1..1
        [
            layers.Normalization(mean=[129, 124, 112], variance=[4645, 4273, 4961], invert=True),
            layers.Rescaling(1 / 255),
        ],
    ],
)
def test_normalisation_outside_the_model(
    to_unit: list[layers.Layer], trained: keras.Model, data: Dataset, tmp_path
) -> None:
    network = loaded(after(trained, *to_unit), tmp_path)
    with pytest.raises(ConfigError, match=r"from raw pixels.* such as keras\.layers\.\w+\("):
        raw_pixels.check_trained(network, data.images[:500], data.labels[:500])


def test_a_model_that_knows_other_classes(trained: keras.Model, data: Dataset, tmp_path) -> None:
    network = loaded(after(trained, layers.Rescaling(1 / 255)), tmp_path)
    shuffled = np.random.default_rng(0).permutation(data.labels)[:500]
    with pytest.raises(ConfigError, match=r"right on .*%.*expected more than .*%.*most frequent"):
        raw_pixels.check_trained(network, data.images[:500], shuffled)


@pytest.mark.parametrize("check", [raw_pixels.check_trained, raw_pixels.check_untrained])
def test_probabilities_are_no_logits(check, data: Dataset, tmp_path) -> None:
    network = loaded(model(activation="sigmoid"), tmp_path)
    with pytest.raises(ConfigError, match=r"they are probabilities, expected logits.*taps\.logits"):
        check(network, data.images[:50], data.labels[:50])


def test_a_new_network_that_takes_raw_pixels(data: Dataset, tmp_path) -> None:
    keras.utils.set_random_seed(0)
    for network in (loaded(model(), tmp_path), build("resnet8", 100)):
        before = network.get_weights()
        raw_pixels.check_untrained(network, data.images[:100], data.labels[:100])
        # Called in training mode, but nothing is changed.
        assert all(np.array_equal(a, b) for a, b in zip(before, network.get_weights(), strict=True))


def test_a_new_network_that_wants_scaled_pixels(data: Dataset, tmp_path) -> None:
    keras.utils.set_random_seed(0)
    network = loaded(model(first=layers.Rescaling(1.0)), tmp_path)
    with pytest.raises(ConfigError, match=r"loss before training is .* such as keras\.layers\."):
        raw_pixels.check_untrained(network, data.images[:100], data.labels[:100])
