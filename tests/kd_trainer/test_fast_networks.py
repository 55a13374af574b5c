"""Networks that are computed faster: the same function, to rounding."""

import keras
import numpy as np
import pytest
from kd_helpers import sample, snapshot, tiny
from keras import ops

from kd_trainer import training
from kd_trainer.copies import copied
from kd_trainer.folded import folded
from kd_trainer.fused import FusedNormalization, fused
from kd_trainer.networks import NETWORKS, build
from kd_trainer.networks.taps import tap_shapes, tapped
from kd_trainer.precision import in_precision, plain
from kd_trainer.recipe import Recipe
from kd_trainer.teacher import frozen

# The smallest network of each family.
TENSORFLOW = keras.backend.backend() == "tensorflow"


@pytest.fixture(
    params=[
        *("resnet8", "wrn_16_2"),
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("vgg8", "mobilenet_v2")),
    ]
)
def network(request):
    """A network with statistics of real images."""
    keras.utils.set_random_seed(1)
    network = build(request.param, 10)
    for _ in range(3):
        network(sample("train", 32).images, training=True)
    return network


@pytest.mark.skipif(not TENSORFLOW, reason="only TensorFlow has the operation")
class TestFused:
    def test_it_has_the_networks_own_variables_in_their_order(self, network):
        faster = fused(network)
        assert [id(v) for v in faster.variables] == [id(v) for v in network.variables]
        assert any(isinstance(layer, FusedNormalization) for layer in faster.layers)

    @pytest.mark.parametrize("shape", [(32, 8, 8, 16), (4, 5, 3, 7)])
    def test_a_layer_computes_derives_and_moves_its_statistics_as_keras_does(self, shape):
        import tensorflow as tf

        rng = np.random.default_rng(0)
        images = tf.constant(rng.normal(1, 2, shape), "float32")
        upstream = tf.constant(rng.normal(size=shape), "float32")
        found = []
        for kind in (lambda norm: norm, FusedNormalization):
            norm = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
            norm.build(shape)
            norm.set_weights([np.linspace(low, 2, shape[-1]) for low in (-1, 0, 0.5, 1)])
            layer = kind(norm)
            with tf.GradientTape() as tape:
                tape.watch(images)
                outputs = layer(images, training=True)
                loss = tf.reduce_sum(outputs * upstream)
            gradients = tape.gradient(loss, [images, norm.gamma.value, norm.beta.value])
            inferred = layer(images, training=False)
            found.append([outputs, inferred, *gradients, norm.moving_mean, norm.moving_variance])
        for ours, keras_own in zip(*found, strict=True):
            np.testing.assert_allclose(ours, keras_own, rtol=1e-4, atol=1e-4)

    def test_a_network_computes_and_moves_its_statistics_as_keras_does(self, network):
        # Not its gradient: that jumps where a ReLU switches, and rounding has some switch.
        images = sample("train", 32).images
        faster = fused(copied(network, lambda layer, config: None))
        for mode in (True, False):
            answers = [each(images, training=mode) for each in (network, faster)]
            np.testing.assert_allclose(answers[1], answers[0], rtol=1e-3, atol=1e-4)
        for ours, keras_own in zip(faster.variables, network.variables, strict=True):
            np.testing.assert_allclose(ours, keras_own, rtol=1e-4, atol=1e-5, err_msg=ours.path)


class TestFolded:
    def test_every_tap_is_what_it_was(self, network):
        copy = tapped(frozen(network), tap_shapes(network))
        images = sample("test", 8).images
        expected, found = copy(images), folded(copy)(images)
        assert set(found) == set(tap_shapes(network))
        for tap, values in expected.items():
            values, atol = np.array(values), 1e-5 * float(ops.max(ops.abs(values)))
            np.testing.assert_allclose(found[tap], values, rtol=1e-4, atol=atol, err_msg=tap)

    def test_a_normalization_after_a_convolution_is_gone(self, network):
        copy = folded(tapped(frozen(network), ["logits"]))
        norms = [x for x in copy.layers if isinstance(x, keras.layers.BatchNormalization)]
        # Those of a Wide ResNet that come before the convolution and not after one.
        assert len(norms) == {"wrn_16_2": 6}.get(network.name, 0)
        assert not copy.trainable_variables

    def test_a_convolution_that_is_read_itself_stays(self):
        network = build("resnet8", 10)
        before = snapshot(network)
        copy = tapped(frozen(network), ["stem", "stem_preact", "logits"])
        assert {v.shape for v in folded(copy).get_layer("stem_block_conv").weights} == {
            (3, 3, 3, 16),
            (16,),
        }
        assert all(np.array_equal(v, before[v.path]) for v in network.weights)


@pytest.mark.slow
class TestPrecision:
    def test_float32_is_the_network_itself(self, network):
        assert in_precision(network, "float32") is network
        assert plain(network, Recipe()) is network

    def test_bfloat16_differs_by_rounding_alone_and_keeps_its_variables(self, network):
        mixed = in_precision(network, "bfloat16")
        assert {v.dtype for v in mixed.trainable_variables} == {"float32"}
        inner = [x for x in mixed.layers if isinstance(x, keras.layers.Conv2D)]
        assert {layer.compute_dtype for layer in inner} == {"bfloat16"}
        images = sample("test", 32).images
        expected, found = np.array(network(images)), np.array(mixed(images))
        assert found.dtype == "float32"
        error = np.abs(found - expected).max() / np.abs(expected).max()
        assert 0 < error < 0.05

    def test_a_network_trained_in_bfloat16_is_a_float32_network(self, monkeypatch):
        monkeypatch.setitem(NETWORKS, "tiny", ("kd_helpers:tiny", {"stages": 2, "size": 32}))
        recipe = Recipe(epochs=2, batch_size=16, learning_rate=0.05, precision="bfloat16")
        network, history = training.train_alone(
            "tiny", 10, recipe, 0, train_set=tenths(64), eval_set=None, name="test"
        )
        assert {layer.compute_dtype for layer in network.layers} <= {"float32", "uint8"}
        assert history[-1]["loss"] < history[0]["loss"]


def tenths(count):
    data = sample("train", count)
    return type(data)(data.images, data.labels % 10)


def test_a_tiny_network_folds_too():
    network = tiny()
    images = np.zeros((2, 8, 8, 3), "uint8")
    copy = tapped(frozen(network), ["stage1", "logits"])
    np.testing.assert_allclose(
        folded(copy)(images)["logits"], network(images), rtol=1e-4, atol=1e-6
    )
