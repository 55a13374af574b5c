import json
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from components.cifar100_example_gen.executor import Executor as ExampleGen
from components.cifar100_example_gen.reader import load as load_archive
from components.cifar100_example_gen.sample import SAMPLE
from components.model_checker import answer
from components.model_checker.check import TOLERANCE, check
from components.model_checker.executor import Executor
from kd_trainer.export import export
from kd_trainer.labels import FINE_LABELS
from kd_trainer.networks import build

WARM_UP = "assets.extra/tf_serving_warmup_requests"


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build("resnet8", 100)


@pytest.fixture(scope="module")
def exported(network: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    export(network, str(folder / "Format-Serving"), FINE_LABELS)
    return folder


@pytest.fixture
def model(exported: Path, tmp_path: Path) -> Path:
    """A copy of the export, to be broken."""
    return Path(shutil.copytree(exported, tmp_path / "model"))


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return load_archive(str(SAMPLE))[1]["test"].images[:5]


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> standard_artifacts.Examples:
    made = standard_artifacts.Examples()
    made.uri = str(tmp_path_factory.mktemp("examples"))
    properties = {"source": str(SAMPLE), "data_fingerprint": "", "eval_fraction": 0.0, "limit": 40}
    ExampleGen().Do({}, {"examples": [made]}, properties)
    return made


def run(model: Path, examples, out: Path) -> tuple[standard_artifacts.InfraBlessing, dict]:
    artifact, blessing = standard_artifacts.Model(), standard_artifacts.InfraBlessing()
    artifact.uri, blessing.uri = str(model), str(out / "blessing")
    inputs = {"model": [artifact], "examples": [examples]}
    Executor().Do(inputs, {"blessing": [blessing]}, {"code_fingerprint": ""})
    return blessing, json.loads((out / "blessing" / "result.json").read_text(encoding="utf-8"))


def reasons(model: Path, images: np.ndarray) -> list[str]:
    return check(str(model), str(model / "Format-Serving"), images).reasons


@pytest.mark.slow
def test_an_export_that_answers_as_in_memory_is_blessed(exported, examples, tmp_path) -> None:
    blessing, document = run(exported, examples, tmp_path)
    assert blessing.get_int_custom_property("blessed") == 1
    assert blessing.get_string_custom_property("reason") == ""
    difference = blessing.get_float_custom_property("max_difference")
    assert 0 <= difference < TOLERANCE
    assert document == {
        "blessed": True,
        "reason": "",
        "max_difference": difference,
        "images": 32,
    }


def test_one_changed_weight_is_refused_without_an_error(network, model, examples, tmp_path) -> None:
    changed = keras.models.clone_model(network)
    weights = network.get_weights()
    weights[-1][7] += 0.01  # one class's bias
    changed.set_weights(weights)
    other = tmp_path / "other"
    export(changed, str(other / "Format-Serving"), FINE_LABELS)
    shutil.rmtree(model / "Format-Serving")
    (other / "Format-Serving").rename(model / "Format-Serving")
    blessing, document = run(model, examples, tmp_path)
    assert blessing.get_int_custom_property("blessed") == 0
    reason = blessing.get_string_custom_property("reason")
    for name in ("serving_default", "images", "encoded_images"):
        assert f"signature {name!r}: logits differ by 0.01" in reason
    assert blessing.get_float_custom_property("max_difference") == pytest.approx(0.01, rel=0.01)
    assert document["reason"] == reason
    assert not document["blessed"]


@pytest.mark.slow
def test_a_missing_signature_is_refused(model: Path, images: np.ndarray) -> None:
    serving = model / "Format-Serving"
    loaded = tf.saved_model.load(str(serving))
    kept = {name: loaded.signatures[name] for name in ("serving_default", "images")}
    tf.saved_model.save(loaded, str(model / "fewer"), signatures=kept)
    shutil.copytree(serving / "assets.extra", model / "fewer" / "assets.extra")
    shutil.rmtree(serving)
    (model / "fewer").rename(serving)
    (reason,) = reasons(model, images)
    assert "There is no signature 'encoded_images'" in reason
    assert "['images', 'serving_default']" in reason


@pytest.mark.slow
def test_a_missing_asset_is_refused(model: Path, images: np.ndarray) -> None:
    (model / "Format-Serving" / "assets" / "class_names.txt").unlink()
    (reason,) = reasons(model, images)
    assert "class_names.txt" in reason


@pytest.mark.slow
def test_wrong_class_names_are_refused(model: Path, images: np.ndarray) -> None:
    names = model / "Format-Serving" / "assets" / "class_names.txt"
    names.write_text(
        "\n".join(reversed(names.read_text(encoding="utf-8").splitlines())), encoding="utf-8"
    )
    found = reasons(model, images)
    assert len(found) == 3
    assert all("class names are not those of the labels" in reason for reason in found)


@pytest.mark.slow
def test_what_cannot_be_loaded_is_refused(model: Path, images: np.ndarray) -> None:
    graph = model / "Format-Serving" / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:1000])
    found = check(str(model), str(model / "Format-Serving"), images)
    (reason,) = found.reasons
    assert "its process ended with status 1" in reason
    assert "saved_model.pb" in reason
    assert found.max_difference is None


@pytest.mark.parametrize("content", [None, b"no record", b"no record" * 100, b""])
def test_warm_up_requests_that_cannot_be_read_are_refused(
    content: bytes | None, model: Path, images: np.ndarray
) -> None:
    file = model / "Format-Serving" / WARM_UP
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    (reason,) = reasons(model, images)
    assert "warm-up" in reason


@pytest.mark.slow
def test_a_warm_up_request_that_is_not_answered_is_refused(model: Path, images: np.ndarray) -> None:
    file = model / "Format-Serving" / WARM_UP
    records = list(tf.data.TFRecordDataset(str(file)).as_numpy_iterator())
    with tf.io.TFRecordWriter(str(file)) as writer:
        for record in [*records, records[0].replace(b"serving_default", b"serving_unknown")]:
            writer.write(record)
    (reason,) = reasons(model, images)
    assert "There is no signature 'serving_unknown'" in reason


def test_a_process_that_does_not_answer_in_time_is_refused(exported: Path, images) -> None:
    found = check(str(exported), str(exported / "Format-Serving"), images, timeout=0.01)
    assert found.reasons == ["the SavedModel gave no answers: it had not answered after 0.01 s"]


@pytest.mark.slow
def test_the_clean_process_can_import_neither_keras_nor_ours(tmp_path: Path) -> None:
    module = tf.Module()
    module.double = tf.function(lambda x: {"y": 2 * x}, [tf.TensorSpec([], tf.float32, "x")])
    tf.saved_model.save(module, str(tmp_path / "model"), signatures={"double": module.double})
    (tmp_path / "requests").write_text("[]", encoding="utf-8")
    code = f"""
import runpy, sys
sys.argv = ["answer.py", "model", "requests", "answers"]
runpy.run_path({answer.__file__!r}, run_name="__main__")
for name in ("keras", "tf_keras", "tfx", "kd_trainer", "components", "pipeline"):
    assert not [module for module in sys.modules if module.startswith(name + ".")], name
    try:
        __import__(name)
    except ImportError:
        continue
    raise AssertionError(name)
"""
    subprocess.run([sys.executable, "-I", "-c", code], cwd=tmp_path, check=True, timeout=120)
    assert (tmp_path / "answers").read_text(encoding="utf-8") == "[]"
