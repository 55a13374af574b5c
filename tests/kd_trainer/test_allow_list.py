"""What a `.keras` file may name: of all that Keras has, the listed alone, and nothing is called."""

import copy
import importlib
import inspect
import json
import pkgutil
import zipfile

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.src import ops as operations
from keras.src.api_export import REGISTERED_NAMES_TO_OBJS
from keras.src.backend.common import global_state
from keras.src.ops.operation import Operation
from keras.src.saving import serialization_lib
from keras.src.utils.rng_utils import GLOBAL_RANDOM_SEED

from kd_trainer.errors import ConfigError
from kd_trainer.networks import allow_list, allowed, keras_file

APPLICATIONS = {
    "ConvNeXtTiny": 32,
    "DenseNet121": 32,
    "EfficientNetB0": 32,
    "EfficientNetV2B0": 32,
    "InceptionResNetV2": 75,
    "InceptionV3": 75,
    "MobileNet": 32,
    "MobileNetV2": 32,
    "MobileNetV3Small": 32,
    "NASNetMobile": 32,
    "ResNet50": 32,
    "ResNet50V2": 32,
    "VGG16": 32,
    "Xception": 71,
}


def small():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="stage1")(inputs)
    return keras.Model(inputs, layers.Dense(5)(layers.GlobalAveragePooling2D()(x)))


def configuration(model):
    """What `config.json` would hold."""
    return json.loads(json.dumps(keras.saving.serialize_keras_object(model)))


def symbols():
    """Yields module and name of all that Keras exports, and of every operation."""
    for path in REGISTERED_NAMES_TO_OBJS:
        yield path.rpartition(".")[::2]
    for found in pkgutil.iter_modules(operations.__path__, operations.__name__ + "."):
        if not found.name.endswith("_test"):
            for name, value in vars(importlib.import_module(found.name)).items():
                if isinstance(value, type) and issubclass(value, Operation):
                    yield value.__module__, name


def taken(config):
    try:
        allow_list.check(config)
    except allow_list.NotAllowedError:
        return False
    return True


def settings():
    return (
        *(keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format()),
        *(keras.config.backend(), keras.config.dtype_policy().name),
        *(keras.config.max_epochs(), keras.config.max_steps_per_epoch()),
        *(keras.config.is_traceback_filtering_enabled(), serialization_lib.in_safe_mode()),
        dict(keras.saving.get_custom_objects()),
        global_state.get_global_attribute(GLOBAL_RANDOM_SEED),
    )


def with_layer(base, **layer):
    config = copy.deepcopy(base)
    config["config"]["layers"].append({"name": "helper", "registered_name": None, **layer})
    return config


def written(path, config, version=keras.__version__):
    """Writes the file of a small model with another configuration."""
    small().save(path)
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    content["config.json"] = json.dumps(config).encode()
    content["metadata.json"] = json.dumps({"keras_version": version}).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    return path


def test_of_all_symbols_the_listed_alone_get_in_anywhere():
    base = configuration(small())
    found = set(symbols())
    assert len(found) > 1000
    dense = base["config"]["layers"][-1]["config"]
    places = {
        "activation": allowed.ACTIVATION,
        "kernel_initializer": allowed.INITIALIZER,
        "kernel_regularizer": allowed.REGULARIZER,
        "kernel_constraint": allowed.CONSTRAINT,
        "dtype": allowed.POLICY,
        "layers": allowed.GRAPH,
        "layer": allowed.GRAPH,
        "units": allowed.VALUE,
    }
    for module, name in found:
        as_class = {"module": module, "class_name": name, "config": {}, "registered_name": None}
        as_function = {"module": module, "class_name": "function", "config": name}
        assert taken(as_class) == (name in allowed.GRAPH.classes.get(module, ()))
        assert not taken(as_function)
        for option, place in places.items():
            kept, words = dense.get(option), place.words
            dense[option] = as_class
            assert taken(base) == (name in place.classes.get(module, ())), (option, as_class)
            dense[option] = as_function
            assert taken(base) == (name in place.functions.get(module, ())), (option, as_function)
            dense[option] = [name]
            assert taken(base) == (words is None or name in words), (option, name)
            dense[option] = kept
        for call in (as_class, as_function):
            base["config"]["layers"][-1]["inbound_nodes"][0]["kwargs"]["x"] = call
            assert not taken(base)
        del base["config"]["layers"][-1]["inbound_nodes"][0]["kwargs"]["x"]
    assert taken(base)


def listed(module, names):
    """Yields what Keras has of these names; an operation is not exported."""
    found = importlib.import_module(module)
    return [getattr(found, name) for name in names if hasattr(found, name)]


@pytest.mark.parametrize("module", allowed.GRAPH.classes)
def test_no_listed_class_takes_code_a_function_or_a_path(module):
    classes = listed(module, allowed.GRAPH.classes[module])
    assert classes
    taken = {word for each in classes for word in inspect.signature(each).parameters}
    words = {part for word in taken for part in word.split("_")}
    assert not words & {
        *("body", "call", "callable", "code", "cond", "file", "filename", "filepath", "fn"),
        *("func", "function", "path", "url", "vocabulary"),
    }


@pytest.mark.parametrize(
    ("module", "name", "argument"),
    [
        ("keras.visualization", "plot_image_gallery", [[[[0.0]]]]),
        ("keras.config", "set_max_epochs", 1),
        ("keras.config", "set_floatx", "float16"),
        ("keras.config", "set_dtype_policy", "float16"),
        ("keras.layers", "TFSMLayer", "saved"),
        ("keras.utils", "plot_model", 1),
        ("keras.datasets.mnist", "load_data", "x.npz"),
    ],
)
def test_nothing_is_called_or_set(module, name, argument, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function = {"module": module, "class_name": "function", "config": name, "registered_name": name}
    node = {"args": [], "kwargs": {"inputs": argument}}
    base = configuration(small())
    options = {"name": "helper", "function": function}
    made = [
        with_layer(base, module=m, class_name=c, config=options, inbound_nodes=[node])
        for m, c in (("keras.layers", "Lambda"), ("keras.src.ops.core", "Map"))
    ]
    made.append(with_layer(base, **function, inbound_nodes=[node]))
    before = settings()
    for config in made:
        path = written(tmp_path / "bad.keras", config)
        with pytest.raises(ConfigError, match="not on the list"):
            keras_file.open_safely(path)
        assert settings() == before
        assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "change",
    [
        {"registered_name": "Custom>Dense"},
        {"class_name": "__lambda__", "config": {"value": "abc"}},
        {"class_name": "__typespec__", "module": "keras.layers", "spec_name": "TFSMLayer"},
        {"module": None},
        {"module": ["keras.layers"]},
        {"inbound_nodes": [{"args": [1], "kwargs": {}}]},
        {"inbound_nodes": [[["input_layer", 0, 0, {}]]]},
    ],
)
def test_no_other_way_in(change):
    config = configuration(small())
    config["config"]["layers"][-1].update(change)
    assert not taken(config)


def test_no_setting_differs_after_a_file_was_taken(tmp_path):
    before = settings()
    inner = small()
    inner.compile("adam", "mse")
    outer = keras.Sequential([keras.Input((8, 8, 3)), inner])
    outer.save(tmp_path / "good.keras")
    model = keras_file.open_safely(tmp_path / "good.keras")
    assert settings() == before
    assert not model.layers[-1].compiled
    images = np.ones((1, 8, 8, 3), "float32")
    np.testing.assert_allclose(model(images), outer(images), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", APPLICATIONS)
def test_published_architectures_are_taken(name):
    size = APPLICATIONS[name]
    build = getattr(keras.applications, name)
    include = {"include_top": False} if name != "MobileNet" else {}
    allow_list.check(configuration(build(weights=None, input_shape=(size, size, 3), **include)))


def test_a_model_of_many_parts_is_taken():
    inputs = keras.Input((8, 8, 3))
    x = layers.RandomFlip()(layers.Rescaling([1.0, 2.0, 3.0])(inputs))
    x = layers.Conv2D(4, 3, kernel_regularizer="l2", dtype="mixed_float16", padding="same")(x)
    x = layers.Activation(layers.LeakyReLU())(ops.relu(x + 1)[:, 1:, ...])
    x = layers.Dense(4, activation=keras.activations.gelu, kernel_constraint="non_neg")(x)
    x = ops.concatenate([x, x * np.ones((4,), "float32")], axis=-1)
    x = ops.reshape(x, (-1, 56, 8))
    x = layers.MultiHeadAttention(2, 4)(x, x)
    x = layers.Bidirectional(layers.GRU(4, return_sequences=True))(x)
    x = layers.TimeDistributed(layers.Dense(3))(x)
    allow_list.check(configuration(keras.Model(inputs, ops.mean(x, axis=1))))


@pytest.mark.parametrize("version", ["2.15.0", "3.1.0", "3.99.0"])
def test_another_version_is_named(version, tmp_path):
    config = configuration(small())
    config["config"]["layers"][1]["config"]["option_of_later"] = None
    path = written(tmp_path / "other.keras", config, version)
    before = settings()
    with pytest.raises(ConfigError) as refusal:
        keras_file.open_safely(path)
    assert settings() == before
    words = f"Keras {version[:-2]} saved it, and this is Keras {keras.__version__}: build"
    assert words in str(refusal.value)
    assert "damaged" not in str(refusal.value)


def test_the_same_version_is_not(tmp_path):
    config = configuration(small())
    config["config"]["layers"][1]["config"]["option_of_later"] = None
    with pytest.raises(ConfigError, match="If it is damaged, save it again") as refusal:
        keras_file.open_safely(written(tmp_path / "other.keras", config))
    assert "saved it" not in str(refusal.value)


def test_two_members_of_one_name_are_refused(tmp_path):
    path = written(tmp_path / "twice.keras", configuration(small()))
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("config.json", "{}")
    with pytest.raises(ConfigError, match="two members of one name"):
        keras_file.open_safely(path)
