import hashlib
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from kd_helpers import sample
from keras import layers

from kd_trainer import lite
from kd_trainer.errors import ConfigError
from kd_trainer.networks import build

pytestmark = pytest.mark.slow

# In a process of its own: names of operations and hashes of strings are others there.
CONVERT = """
import hashlib, sys
import numpy as np
from kd_trainer import lite
from kd_trainer.export import load

network, images = load(sys.argv[1]), np.load(sys.argv[1] + "/images.npy")
for content in (lite.convert_float32(network), lite.convert_int8(network, images)):
    print(hashlib.sha256(content).hexdigest())
"""


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """A small network that has learned something: the ten classes of the sample."""
    keras.utils.set_random_seed(0)
    network = build("resnet8", 100)
    data = sample("train", 1000)
    network.compile(
        keras.optimizers.Adam(3e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    network.fit(data.images, data.labels, batch_size=50, epochs=2, verbose=0)
    return network


@pytest.fixture(scope="module")
def files(network: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("lite")
    contents = {
        "float32": lite.convert_float32(network),
        "int8": lite.convert_int8(network, sample("train", 700).images),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in contents}


@pytest.fixture(scope="module")
def expected(network: keras.Model) -> np.ndarray:
    logits = network.predict(sample("test", 400).images, verbose=0).astype("float64")
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


def test_float32_is_the_network(files: dict[str, Path], expected: np.ndarray) -> None:
    # More than a batch, and not a multiple of one.
    found = lite.load(str(files["float32"]))(sample("test", 400).images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert len(np.unique(expected.argmax(axis=1))) > 1  # it does tell images apart


def test_int8_is_nearly_the_network(files: dict[str, Path], expected: np.ndarray) -> None:
    found = lite.load(str(files["int8"]))(sample("test", 400).images)
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    assert np.mean(found.argmax(axis=1) == expected.argmax(axis=1)) > 0.9
    # Probabilities are no multiples of 1/256: the softmax is not quantised.
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)
    assert 0 < found.min() < 1e-4


def test_int8_is_far_smaller(files: dict[str, Path]) -> None:
    assert files["int8"].stat().st_size < 0.4 * files["float32"].stat().st_size


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_files_name_their_input_and_output(files: dict[str, Path], precision: str) -> None:
    import tensorflow as tf

    interpreter = tf.lite.Interpreter(model_path=str(files[precision]))
    assert interpreter.get_signature_list() == {
        "images": {"inputs": ["images"], "outputs": ["probabilities"]}
    }
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (given["dtype"], list(given["shape_signature"])) == (np.uint8, [-1, 32, 32, 3])
    assert answer["dtype"] == np.float32


@pytest.mark.slow
def test_the_same_network_gives_the_same_bytes(
    network: keras.Model, files: dict[str, Path], tmp_path: Path
) -> None:
    network.save(tmp_path / "model.keras")
    np.save(tmp_path / "images.npy", sample("train", 700).images)
    runs = [
        subprocess.run(
            [sys.executable, "-c", CONVERT, str(tmp_path)],
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
            encoding="utf-8",
        ).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1]
    assert len(set(runs[0].split())) == 2


def test_calibration_looks_at_images_of_all_the_split(network: keras.Model) -> None:
    black, white = np.zeros((600, 32, 32, 3), "uint8"), np.full((600, 32, 32, 3), 255, "uint8")
    mixed = lite.convert_int8(network, np.concatenate([black, white]))
    digests = {
        hashlib.sha256(content).digest()
        for content in (mixed, lite.convert_int8(network, black), lite.convert_int8(network, white))
    }
    assert len(digests) == 3


def test_an_operation_that_tflite_lacks_is_named() -> None:
    inputs = keras.Input((32, 32, 3), dtype="uint8")
    x = layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 255)(inputs))
    network = keras.Model(inputs, layers.Dense(10)(keras.ops.erf(x)))
    with pytest.raises(ConfigError, match=r"no Erf\. .*push\.formats"):
        lite.convert_float32(network)
    with pytest.raises(ConfigError, match=r"no Erf\. .*push\.formats"):
        lite.convert_int8(network, sample("train", 10).images)
