import json
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
from kd_helpers import changed, sample, snapshot
from keras import layers

from kd_trainer.errors import ConfigError
from kd_trainer.networks import NETWORKS, build
from kd_trainer.networks.taps import tap_shapes, tapped
from kd_trainer.teacher import frozen

# Trainable parameters for 100 classes, as PyTorch counts them in RepDistiller's models (b84f547).
PARAMETERS = {
    "resnet8": 83_892,
    "resnet20": 278_324,
    "resnet32": 472_756,
    "resnet56": 861_620,
    "resnet110": 1_736_564,
    "resnet8x4": 1_233_540,
    "resnet32x4": 7_433_860,
    "wrn_16_2": 703_284,
    "wrn_16_4": 2_772_020,
    "wrn_40_1": 569_780,
    "wrn_40_2": 2_255_156,
    "wrn_40_4": 8_972_340,
    "vgg8": 3_965_028,
    "vgg13": 9_462_180,
    "mobilenet_v2": 812_836,
}
# The taps that RepDistiller's models return, with and without its `preact`: see `filled`.
GOLDEN = json.loads((Path(__file__).parent / "networks_golden.json").read_text(encoding="utf-8"))
# The smallest network of each family.
FAMILIES = ("resnet8", "wrn_16_2", "vgg8", "mobilenet_v2")


@pytest.fixture(scope="module")
def resnet8() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build("resnet8", 10)


@cache
def built(name: str) -> keras.Model:
    """A network for 100 classes that no test changes."""
    keras.utils.set_random_seed(0)
    return build(name, 100)


def draw(*shape: int) -> np.ndarray:
    return np.random.RandomState(0).standard_normal(shape)


@cache
def filled(name: str) -> keras.Model:
    """A network whose variables follow from their shapes, as they were set for the golden values.

    No test changes it.

    `networks_golden.json` holds, for each tap that the reference returns, its mean after weighting
    by `RandomState(1).standard_normal` of its shape (NHWC), over its root mean square, and that
    root mean square, as PyTorch 1.12 computes them in float64 from `random_images`.
    """
    network = build(name, 100)
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            scale, offset, mean, variance = draw(4, layer.gamma.shape[0])
            layer.set_weights([1 + 0.1 * scale, 0.1 * offset, 0.1 * mean, np.exp(0.1 * variance)])
        elif layer.weights:
            kernel, *bias = (variable.shape for variable in layer.weights)
            depthwise = isinstance(layer, layers.DepthwiseConv2D)
            fan_in = np.prod(kernel[:2] if depthwise else kernel[:-1])
            layer.set_weights(
                [draw(*kernel) * np.sqrt(2 / fan_in), *(0.1 * draw(*shape) for shape in bias)]
            )
    return network


ONE_OF_A_FAMILY = {"resnet8", "resnet8x4", "wrn_16_2", "vgg8", "mobilenet_v2"}


def random_images(count: int) -> np.ndarray:
    return np.random.RandomState(0).randint(0, 256, (count, 32, 32, 3)).astype(np.uint8)


@pytest.mark.parametrize(
    "name",
    [
        name if name in ONE_OF_A_FAMILY else pytest.param(name, marks=pytest.mark.slow)
        for name in NETWORKS
    ],
)
def test_a_network_has_its_name_and_the_size_of_the_reference(name: str) -> None:
    network = built(name)
    assert network.name == name
    assert sum(int(np.prod(v.shape)) for v in network.trainable_variables) == PARAMETERS[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_has_the_common_taps(name: str) -> None:
    shapes = tap_shapes(built(name))
    stages = {"stem", "stage1", "stage2", "stage3"}
    assert {*stages, *(f"{tap}_preact" for tap in stages), "pooled", "logits"} <= set(shapes)
    assert shapes["logits"] == (100,)
    for tap in shapes:
        assert shapes[tap.removesuffix("_preact").removesuffix("_prenorm")] == shapes[tap]


def both(tap: str, *shape: int) -> dict[str, tuple[int, ...]]:
    return {f"{tap}_preact": shape, tap: shape}


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        (
            "resnet8x4",
            {
                **both("stem", 32, 32, 32),
                **both("stage1", 32, 32, 64),
                **both("stage2", 16, 16, 128),
                **both("stage3", 8, 8, 256),
                "pooled": (256,),
            },
        ),
        (
            "wrn_40_2",
            {
                "stem_prenorm": (32, 32, 16),
                **both("stem", 32, 32, 16),
                "stage1_prenorm": (32, 32, 32),
                **both("stage1", 32, 32, 32),
                "stage2_prenorm": (16, 16, 64),
                **both("stage2", 16, 16, 64),
                "stage3_prenorm": (8, 8, 128),
                **both("stage3", 8, 8, 128),
                "pooled": (128,),
            },
        ),
        (
            "vgg13",
            {
                **both("stem", 32, 32, 64),
                **both("stage1", 16, 16, 128),
                **both("stage2", 8, 8, 256),
                **both("stage3", 4, 4, 512),
                **both("stage4", 4, 4, 512),
                "pooled": (512,),
            },
        ),
        (
            "mobilenet_v2",
            {
                **both("stem", 16, 16, 16),
                **both("stage1", 16, 16, 12),
                **both("stage2", 8, 8, 16),
                **both("stage3", 4, 4, 48),
                **both("stage4", 2, 2, 160),
                "pooled": (1280,),
            },
        ),
    ],
)
def test_the_taps_and_their_shapes(name: str, shapes: dict[str, tuple[int, ...]]) -> None:
    assert tap_shapes(built(name)) == {**shapes, "logits": (100,)}


@pytest.mark.parametrize("name", GOLDEN)
def test_the_taps_are_what_the_reference_computes(name: str) -> None:
    network = filled(name)
    taps = tapped(network, GOLDEN[name])(random_images(2))
    for tap, (projection, rms) in GOLDEN[name].items():
        found = np.array(taps[tap], np.float64)
        found_rms = np.sqrt(np.mean(found**2))
        weights = np.random.RandomState(1).standard_normal(found.shape)
        np.testing.assert_allclose(found_rms, rms, rtol=1e-4, err_msg=tap)
        np.testing.assert_allclose(
            np.mean(found * weights) / found_rms, projection, atol=1e-5, err_msg=tap
        )


@pytest.mark.parametrize("name", FAMILIES)
def test_a_network_gives_float32_logits_of_raw_images(name: str) -> None:
    network, images = filled(name), random_images(3)
    logits = network(images)
    assert tuple(logits.shape) == (3, 100)
    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert not np.allclose(logits[0], logits[1])
    # Each image by itself.
    np.testing.assert_allclose(network(images[1:2])[0], logits[1], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "linear"),
    [
        ("resnet8", set()),
        ("wrn_16_2", set()),
        ("vgg8", set()),
        # Its bottlenecks have no ReLU.
        ("mobilenet_v2", {"stage1", "stage2", "stage3", "stage4"}),
    ],
)
def test_a_tap_is_the_relu_of_its_preact(name: str, linear: set[str]) -> None:
    network = built(name)
    taps = tapped(network, tap_shapes(network))(random_images(3))
    for before in (tap for tap in taps if tap.endswith("_preact")):
        tap = before.removesuffix("_preact")
        values = np.array(taps[before])
        assert values.min() < 0 < values.max()
        expected = values if tap in linear else np.maximum(values, 0)
        np.testing.assert_array_equal(taps[tap], expected, err_msg=tap)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_it_learns_real_images(name: str) -> None:
    keras.utils.set_random_seed(1)
    network = build(name, 100)
    before = snapshot(network)
    network.compile(
        keras.optimizers.SGD(0.05, momentum=0.9),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        run_eagerly=True,  # five steps are over before a graph is traced
    )
    data = sample("train", 32)
    losses = network.fit(data.images, data.labels, 32, epochs=5, verbose=0).history["loss"]
    assert np.all(np.isfinite(losses))
    assert losses[-1] < 0.8 * losses[0]
    assert changed(network, before) >= {v.path for v in network.variables if v.name != "bias"}


@pytest.mark.parametrize("name", FAMILIES)
def test_a_frozen_copy_gives_the_same_and_training_mode_leaves_it_so(name: str) -> None:
    network = filled(name)
    copy = frozen(network)
    expected = tapped(network, tap_shapes(network))(random_images(3))
    copy(random_images(3), training=True)
    found = tapped(copy, tap_shapes(network))(random_images(3))
    for tap, values in expected.items():
        np.testing.assert_array_equal(found[tap], values, err_msg=tap)


@pytest.mark.parametrize("name", FAMILIES)
def test_what_is_saved_and_loaded_gives_the_same(name: str, tmp_path: Path) -> None:
    network = filled(name)
    network.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    assert tap_shapes(loaded) == tap_shapes(network)
    np.testing.assert_array_equal(loaded(random_images(3)), network(random_images(3)))


def test_a_tapped_network_holds_only_what_leads_to_its_taps(resnet8: keras.Model) -> None:
    part = tapped(resnet8, ["stem", "stage1_preact"])
    names = {layer.name for layer in part.layers}
    assert {"stem_block_conv", "stage1_block1_conv2", "stage1_preact"} <= names
    assert not {name for name in names if name == "stage1" or name.startswith(("stage2", "log"))}
    # They are the network's own layers, no copies.
    assert part.get_layer("stem_block_conv") is resnet8.get_layer("stem_block_conv")


def test_an_unknown_network_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"'resnet8x5'\. Did you mean 'resnet8x4'"):
        build("resnet8x5", 100)


def test_an_unknown_tap_is_refused_with_the_nearest_name(resnet8: keras.Model) -> None:
    with pytest.raises(ConfigError, match=r"'resnet8' has no tap named 'stage4'.*'stage3'"):
        tapped(resnet8, ["stage4"])


def test_an_inner_layer_is_no_tap(resnet8: keras.Model) -> None:
    with pytest.raises(ConfigError, match="stage1_block1_conv1"):
        tapped(resnet8, ["stage1_block1_conv1"])


def normalised(network: keras.Model, images: np.ndarray) -> np.ndarray:
    [rescaling] = [layer for layer in network.layers if isinstance(layer, layers.Rescaling)]
    return np.array(keras.Model(network.inputs[0], rescaling.output)(images))


def test_normalisation_is_in_the_model(resnet8: keras.Model) -> None:
    assert keras.backend.standardize_dtype(resnet8.inputs[0].dtype) == "uint8"
    # CIFAR-100's channel means, red first, and the mean plus its standard deviation.
    means = np.tile(np.array([129, 124, 112], np.uint8), (1, 32, 32, 1))
    np.testing.assert_allclose(normalised(resnet8, means), 0.0, atol=0.01)
    one_above = means + np.array([68, 65, 70], np.uint8)
    np.testing.assert_allclose(normalised(resnet8, one_above), 1.0, atol=0.02)


def test_a_strided_convolution_sees_one_pixel_of_padding_on_each_side(
    resnet8: keras.Model,
) -> None:
    convolution = resnet8.get_layer("stage2_block1_conv1")
    before, after = resnet8.get_layer("stage1").output, convolution.output
    part = keras.Model(before, after)
    x = np.random.default_rng(1).normal(size=(1, 32, 32, 16)).astype(np.float32)
    kernel = np.array(convolution.kernel)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    found = np.array(part(x))
    assert found.shape == (1, 16, 16, 32)
    for row, column in [(0, 0), (0, 15), (15, 0), (7, 9)]:
        window = padded[0, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
        np.testing.assert_allclose(
            found[0, row, column], np.tensordot(window, kernel, 3), rtol=1e-3, atol=1e-4
        )


@pytest.mark.parametrize("name", FAMILIES)
def test_kernels_start_with_the_spread_of_the_reference(name: str) -> None:
    for layer in built(name).layers:
        if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D):
            kernel = np.array(layer.weights[0])
            # All output channels, also for a depthwise kernel.
            fan_out = np.prod(kernel.shape[:2]) * layer.output.shape[-1]
            np.testing.assert_allclose(np.std(kernel), np.sqrt(2 / fan_out), rtol=0.2)


@pytest.mark.parametrize(
    ("name", "deviation"),
    [("wrn_16_2", 1 / np.sqrt(3 * 128)), ("vgg8", 0.01), ("mobilenet_v2", 0.01)],
)
def test_the_classifier_starts_with_the_spread_of_the_reference(
    name: str, deviation: float
) -> None:
    kernel, bias = built(name).get_layer("logits").get_weights()
    np.testing.assert_allclose(np.std(kernel), deviation, rtol=0.02)
    assert not bias.any()


def test_the_seed_gives_the_weights() -> None:
    def weights(seed: int) -> list[np.ndarray]:
        keras.utils.set_random_seed(seed)
        return build("resnet8", 10).get_weights()

    one, again, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[0], other[0])
