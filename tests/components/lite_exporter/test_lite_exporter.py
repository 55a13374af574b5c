from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from tfx.types import standard_artifacts

from components.artifacts import LiteModels
from components.cifar100_example_gen.executor import Executor as ExampleGen
from components.cifar100_example_gen.reader import read
from components.cifar100_example_gen.sample import SAMPLE
from components.lite_exporter.executor import Executor
from kd_trainer import lite as tflite
from kd_trainer.errors import ConfigError
from kd_trainer.export import export
from kd_trainer.labels import class_names
from kd_trainer.networks import build


def artifact(kind: type, uri: Path) -> Any:
    made = kind()
    made.uri = str(uri)
    return made


@pytest.fixture(scope="module", params=[0.2, 0.0], ids=["eval", "no eval"])
def examples(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    made = artifact(standard_artifacts.Examples, tmp_path_factory.mktemp("examples"))
    properties = {
        "source": str(SAMPLE),
        "data_fingerprint": "",
        "eval_fraction": request.param,
        "limit": 60,
    }
    ExampleGen().Do({}, {"examples": [made]}, properties)
    return made


def convert(network: keras.Model, examples: Any, folder: Path) -> Any:
    model = artifact(standard_artifacts.Model, folder / "model")
    export(network, f"{model.uri}/Format-Serving", class_names(network.output_shape[-1]))
    lite = artifact(LiteModels, folder / "lite")
    Executor().Do(
        {"model": [model], "examples": [examples]}, {"lite": [lite]}, {"code_fingerprint": ""}
    )
    return lite


@pytest.mark.slow
def test_it_writes_a_file_a_precision(examples: Any, tmp_path: Path) -> None:
    keras.utils.set_random_seed(3)
    network = build("resnet8", 100)
    lite = convert(network, examples, tmp_path)
    files = {path.name: path for path in Path(lite.uri).iterdir()}
    assert set(files) == set(LiteModels.FILE_NAMES.values())
    images = read(str(SAMPLE), "test", 60).images
    expected = keras.ops.softmax(network(images))
    for precision, name in LiteModels.FILE_NAMES.items():
        assert lite.get_int_custom_property(f"{precision}_bytes") == files[name].stat().st_size
        found = tflite.load(str(files[name]))(images)
        np.testing.assert_allclose(found, expected, atol={"float32": 1e-4, "int8": 0.05}[precision])
    # One is not a copy of the other.
    assert (
        files["student-int8.tflite"].stat().st_size
        < files["student-float32.tflite"].stat().st_size / 2
    )


def test_what_cannot_be_converted_leaves_nothing(examples: Any, tmp_path: Path) -> None:
    inputs = keras.Input((32, 32, 3), dtype="uint8")
    x = layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 255)(inputs))
    network = keras.Model(inputs, layers.Dense(100)(keras.ops.erf(x)))
    with pytest.raises(ConfigError, match="Erf"):
        convert(network, examples, tmp_path)
    assert not (tmp_path / "lite").exists()
