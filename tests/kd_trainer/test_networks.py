import keras
import numpy as np
import pytest
from keras import layers

from kd_trainer.errors import ConfigError
from kd_trainer.networks import NETWORKS, build
from kd_trainer.networks.taps import tap_shapes, tapped


@pytest.fixture(scope="module")
def resnet8() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build("resnet8", 10)


def trainable(network: keras.Model) -> int:
    return sum(int(np.prod(weight.shape)) for weight in network.trainable_variables)


def conv_bn(kernel: int, width_in: int, width_out: int) -> int:
    """Weights of a convolution without bias, and scale and offset of its BatchNorm."""
    return kernel * kernel * width_in * width_out + 2 * width_out


def expected_parameters(depth: int, stem: int, widths: list[int], classes: int) -> int:
    total, width_in = conv_bn(3, 3, stem), stem
    for stage, width in enumerate(widths):
        for block in range((depth - 2) // 6):
            total += conv_bn(3, width_in, width) + conv_bn(3, width, width)
            if (block == 0 and stage > 0) or width_in != width:
                total += conv_bn(1, width_in, width)
            width_in = width
    return total + width_in * classes + classes


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_has_the_parameters_of_its_name(name: str) -> None:
    depth, _, wide = name.removeprefix("resnet").partition("x")
    widths = [64, 128, 256] if wide else [16, 32, 64]
    network = build(name, 100)
    assert network.name == name
    assert trainable(network) == expected_parameters(
        int(depth), 32 if wide else 16, widths, classes=100
    )


@pytest.mark.parametrize(("name", "count"), [("resnet8x4", 1_233_540), ("resnet32x4", 7_433_860)])
def test_the_reference_pair_has_the_published_sizes(name: str, count: int) -> None:
    assert trainable(build(name, 100)) == count


def test_the_taps_and_their_shapes() -> None:
    assert tap_shapes(build("resnet8x4", 100)) == {
        "stem_preact": (32, 32, 32),
        "stem": (32, 32, 32),
        "stage1_preact": (32, 32, 64),
        "stage1": (32, 32, 64),
        "stage2_preact": (16, 16, 128),
        "stage2": (16, 16, 128),
        "stage3_preact": (8, 8, 256),
        "stage3": (8, 8, 256),
        "pooled": (256,),
        "logits": (100,),
    }


def test_a_tap_gives_what_the_network_computes(resnet8: keras.Model) -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    taps = tapped(resnet8, tap_shapes(resnet8))(images)
    np.testing.assert_allclose(taps["logits"], resnet8(images), rtol=1e-6)
    np.testing.assert_allclose(taps["pooled"], np.mean(taps["stage3"], axis=(1, 2)), rtol=1e-4)
    for tap in ("stem", "stage1", "stage2", "stage3"):
        before, after = np.array(taps[f"{tap}_preact"]), np.array(taps[tap])
        assert before.min() < 0
        np.testing.assert_array_equal(np.maximum(before, 0), after)


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


def test_the_seed_gives_the_weights() -> None:
    def weights(seed: int) -> list[np.ndarray]:
        keras.utils.set_random_seed(seed)
        return build("resnet8", 10).get_weights()

    one, again, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[0], other[0])
