from pathlib import Path

import keras
import numpy as np
import pytest
from kd_helpers import sample
from keras import layers, ops
from user_models import TAPS, model, saved

from kd_trainer import export, methods, networks, training
from kd_trainer.errors import ConfigError
from kd_trainer.labels import FINE_LABELS
from kd_trainer.networks import user
from kd_trainer.networks.taps import TapError, differentiable, tap_shapes, tapped
from kd_trainer.recipe import Recipe
from kd_trainer.teacher import frozen

# One test saves a model that is not built, as users do.
pytestmark = pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")

SHAPE = (32, 32, 3)


@pytest.fixture(autouse=True)
def seed() -> None:
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return sample("test", 6).images


def load(network: keras.Model, folder: Path, taps: dict[str, str] | None = None):
    return user.load(saved(network, folder), taps or {}, SHAPE)


def softmax(logits) -> np.ndarray:
    return np.array(ops.softmax(logits))


def with_inner_model() -> keras.Model:
    """What transfer learning gives: a backbone within, called in inference mode, and operations."""
    backbone = keras.Sequential(
        [
            keras.Input((None, None, 3)),
            layers.Conv2D(4, 3, name="conv"),
            layers.BatchNormalization(name="norm"),
            layers.ReLU(name="last"),
        ],
        name="backbone",
    )
    inputs = keras.Input(SHAPE)
    normalisation = layers.Normalization(name="norm")
    normalisation.adapt(sample("train", 20).images.astype("float32"))
    x = backbone(normalisation(inputs), training=False)
    x = x + layers.Conv2D(4, 1, name="conv")(x)
    relu = layers.ReLU(name="shared")
    x = relu(layers.Conv2D(8, 3, 2, name="down")(relu(x)))
    x = ops.mean(x, axis=(1, 2))
    network = keras.Model(inputs, ops.softmax(layers.Dense(10, name="scores")(x)))
    rng = np.random.default_rng(0)
    for weight in network.get_layer("backbone").weights:
        weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    network.get_layer("backbone").trainable = False
    return network


@pytest.mark.parametrize("activation", ["softmax", None])
def test_a_users_model_computes_what_it_did(
    activation: str | None, images: np.ndarray, tmp_path: Path
) -> None:
    own = model(activation=activation)
    network = load(own, tmp_path).network
    expected = own(images.astype("float32"))
    found = network(images)
    np.testing.assert_allclose(
        softmax(found) if activation else found, expected, rtol=1e-5, atol=1e-6
    )
    assert network.name == "mine"
    assert keras.backend.standardize_dtype(network.inputs[0].dtype) == "uint8"
    assert keras.backend.standardize_dtype(network.outputs[0].dtype) == "float32"


def test_taps_are_the_outputs_of_the_layers_named(images: np.ndarray, tmp_path: Path) -> None:
    own = model()
    network = load(own, tmp_path, TAPS).network
    assert tap_shapes(network) == {
        "stage1": (16, 16, 8),
        "stage2": (8, 8, 8),
        "pooled": (8,),
        "logits": (100,),
    }
    found = tapped(network, TAPS)(images)
    expected = keras.Model(own.input, [own.get_layer(name).output for name in TAPS.values()])
    for tap, output in zip(TAPS, expected(images.astype("float32")), strict=True):
        np.testing.assert_allclose(found[tap], output, rtol=1e-5, atol=1e-6)
    assert isinstance(network.get_layer("logits"), layers.Dense)


def test_layers_that_have_taps_names_are_taps(images: np.ndarray, tmp_path: Path) -> None:
    ours = networks.build("resnet8", 100)
    network = load(ours, tmp_path).network
    # `stage1_block1_conv1` and its like are no taps.
    assert tap_shapes(network) == tap_shapes(ours)
    np.testing.assert_allclose(network(images), ours(images), rtol=1e-5, atol=1e-6)
    other = load(ours, tmp_path, {"stage1": "stage2"}).network
    assert tap_shapes(other)["stage1"] == tap_shapes(ours)["stage2"]


def test_models_within_operations_and_shared_layers(images: np.ndarray, tmp_path: Path) -> None:
    own = with_inner_model()
    # Keras numbers operations through the process.
    add, mean = (
        next(each.name for each in own.operations if each.name.startswith(kind))
        for kind in ("add", "mean")
    )
    taps = {"stem": "backbone/norm", "stage1": "backbone", "stage2": add, "pooled": mean}
    loaded = load(own, tmp_path, taps)
    network = loaded.network
    np.testing.assert_allclose(
        softmax(network(images)), own(images.astype("float32")), rtol=1e-4, atol=1e-6
    )
    assert tap_shapes(network) == {
        "stem": (30, 30, 4),
        "stage1": (30, 30, 4),
        "stage2": (30, 30, 4),
        "pooled": (8,),
        "logits": (10,),
    }
    # What the distiller and the Trainer do with a network.
    np.testing.assert_allclose(frozen(network)(images), network(images), rtol=1e-5)
    on_floats = differentiable(network)(images.astype("float32"))
    np.testing.assert_allclose(on_floats, network(images), rtol=1e-5)
    kept = keras.saving.load_model(saved(network, tmp_path, "kept"), safe_mode=True)
    np.testing.assert_allclose(kept(images), network(images), rtol=1e-5)
    # What the user froze, or ran in inference mode, can be trained.
    assert len(network.trainable_variables) == len(own.variables) - 5
    before = np.array(network.get_layer("stem").moving_mean)
    network(images, training=True)
    assert np.abs(np.array(network.get_layer("stem").moving_mean) - before).max() > 0

    with pytest.raises(ConfigError, match="'shared' is called 2 times"):
        load(own, tmp_path, {"stage1": "shared"})


def test_one_layer_may_be_two_taps(images: np.ndarray, tmp_path: Path) -> None:
    network = load(model(), tmp_path, {"stage1": "conv_a", "stem": "conv_a"}).network
    taps = tapped(network, ["stem", "stage1"])(images)
    np.testing.assert_array_equal(taps["stem"], taps["stage1"])


def test_any_end_is_brought_to_logits(images: np.ndarray, tmp_path: Path) -> None:
    inputs = keras.Input(SHAPE)
    scores = layers.Dense(10, name="scores")(layers.Flatten()(layers.Rescaling(1 / 255)(inputs)))
    expected = keras.Model(inputs, scores)(images.astype("float32"))
    for end in (layers.Softmax(), layers.Activation("softmax"), ops.softmax):
        network = load(keras.Model(inputs, end(scores)), tmp_path).network
        np.testing.assert_allclose(network(images), expected, rtol=1e-5, atol=1e-6)
    sigmoid = keras.Model(inputs, layers.Activation("sigmoid", name="end")(scores))
    network = load(sigmoid, tmp_path, {"logits": "scores"}).network
    np.testing.assert_allclose(network(images), expected, rtol=1e-5, atol=1e-6)


def test_half_precision_ends_in_float32(images: np.ndarray, tmp_path: Path) -> None:
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        own = model()
    finally:
        keras.config.set_dtype_policy("float32")
    network = load(own, tmp_path, TAPS).network
    assert keras.backend.standardize_dtype(network.outputs[0].dtype) == "float32"
    expected = np.array(own(images.astype("float32")), "float32")
    np.testing.assert_allclose(softmax(network(images)), expected, rtol=0.02)


def test_a_model_of_uint8_images_is_taken_as_it_is(images: np.ndarray, tmp_path: Path) -> None:
    own = keras.Sequential(
        [keras.Input(SHAPE, dtype="uint8"), layers.Rescaling(1 / 255), layers.Flatten()]
    )
    own.add(layers.Dense(5))
    network = load(own, tmp_path).network
    np.testing.assert_allclose(network(images), own(images), rtol=1e-5)


def test_a_wrong_layer_is_answered_with_the_layers_and_their_shapes(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"taps\.stage1.*'conv_c'") as error:
        load(model(), tmp_path, {"stage1": "conv_c"})
    listed = [line.strip() for line in str(error.value).splitlines()[1:]]
    assert set(listed[:2]) == {"conv_a  (16, 16, 8)", "conv_b  (8, 8, 8)"}
    assert "average  (8,)" in listed


def test_a_long_listing_is_cut(tmp_path: Path) -> None:
    x = inputs = keras.Input(SHAPE)
    for number in range(60):
        x = layers.ReLU(name=f"relu_{number}")(x)
    own = keras.Model(inputs, layers.Dense(5)(layers.Flatten()(x)))
    lines = user.listing(load(own, tmp_path).layers, "relu_59").splitlines()
    assert lines[0].strip() == "relu_59  (32, 32, 3)"
    assert len(lines) == 41
    assert lines[-1] == "  and 22 more"


def test_a_layer_that_does_not_lead_to_the_logits_is_no_tap(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"taps\.pooled: the layer 'predictions' does not lead"):
        load(model(), tmp_path, {"logits": "average", "pooled": "predictions"})


@keras.saving.register_keras_serializable("tests")
class Subclassed(keras.Model):
    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.dense = layers.Dense(3)

    def call(self, images):
        return self.dense(ops.reshape(images, (-1, 32 * 32 * 3)))


def own_code() -> keras.Model:
    network = Subclassed()
    network(np.zeros((1, *SHAPE), "float32"))
    return network


def an_image() -> keras.Model:
    inputs = keras.Input(SHAPE)
    return keras.Model(inputs, layers.Softmax()(inputs))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (own_code, ["names what is not on the list", "Subclassed", "keras.ops"]),
        (an_image, ["(32, 32, 3)", "expected a row of logits"]),
    ],
)
def test_what_does_not_fit_is_refused(make, expected: list[str], tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        load(make(), tmp_path)
    for part in expected:
        assert part in str(error.value)


def test_a_missing_tap_names_network_and_tap(tmp_path: Path) -> None:
    network = load(model(), tmp_path).network
    with pytest.raises(TapError, match="'mine' has no tap named 'stage1'") as error:
        tapped(network, ["stage1"])
    assert (error.value.network, error.value.tap) == (network, "stage1")


def test_an_architecture_is_built_with_weights_of_the_seed(tmp_path: Path) -> None:
    loaded = load(with_inner_model(), tmp_path).network
    file = str(saved(loaded, tmp_path, "architecture"))

    def weights(number: int) -> list[np.ndarray]:
        keras.utils.set_random_seed(number)
        return networks.build(file, 10).get_weights()

    one, again, other = weights(1), weights(1), weights(2)
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not np.array_equal(one[0], other[0])
    assert not np.array_equal(one[0], loaded.get_weights()[0])
    assert len(one) == len(loaded.weights)
    # The statistics that the user's normalisation was adapted to are no weights: they stay.
    before, after = (
        [layer.mean for layer in each.layers if isinstance(layer, layers.Normalization)]
        for each in (loaded, networks.build(file, 10))
    )
    np.testing.assert_array_equal(before, after)
    assert len(after) == 1
    assert networks.module(file) == "kd_trainer.networks.user"
    with pytest.raises(ConfigError, match="10 classes, the data has 100"):
        networks.build(file, 100)


def test_a_users_student_learns_from_a_users_teacher(tmp_path: Path) -> None:
    teacher = load(model(width=12), tmp_path, TAPS).network
    student = str(saved(load(model(width=4), tmp_path, TAPS).network, tmp_path, "student"))
    before = teacher.get_weights()
    trained, history = training.distil(
        teacher,
        student,
        methods.create({"name": "fitnet", "preset": "crd", "taps": ["stage2"]}),
        100,
        Recipe(epochs=1, batch_size=16, learning_rate=0.01),
        seed=1,
        train_set=sample("train", 32),
        eval_set=sample("test", 20),
        name="student",
    )
    assert all(np.array_equal(a, b) for a, b in zip(before, teacher.get_weights(), strict=True))
    assert all(np.isfinite(row["loss"]) for row in history)
    images = sample("test", 4).images
    export.export(trained, str(tmp_path / "out" / "Format-Serving"), FINE_LABELS)
    np.testing.assert_allclose(
        export.load(str(tmp_path / "out"))(images), trained(images), rtol=1e-5
    )
