import base64
import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from kd_helpers import sample, tiny

from kd_trainer import warm_up
from kd_trainer.export import export, load
from kd_trainer.labels import FINE_LABELS, class_names
from kd_trainer.networks import build

NAMES = [f"class {number}" for number in range(10)]
OUTPUTS = {
    "logits": ("float32", [None, 10]),
    "probabilities": ("float32", [None, 10]),
    "label": ("int64", [None]),
    "class_name": ("string", [None]),
}
INPUTS = {
    "serving_default": ("examples", "string", [None]),
    "images": ("images", "uint8", [None, 32, 32, 3]),
    "encoded_images": ("encoded_images", "string", [None]),
}

# Two frames of 2x1 pixels: red and blue, then blue and red.
GIF = base64.b64decode(
    "R0lGODlhAgABAIEAAP8AAAAA/wAAAAAAACH5BAAKAAAALAAAAAACAAEAAAgFAAEECAgAIfkEAAoAAAAsAAAAAAIAAQCB"
    "/wAAAAD/AAAAAAAACAUAAwAICAA7"
)

# What a serving machine has: TensorFlow, and none of this repository.
SERVE = """
import json, sys
import numpy as np
import tensorflow as tf

model = tf.saved_model.load(sys.argv[1])
images = np.load(sys.argv[2])
def example(image):
    made = tf.train.Example()
    made.features.feature["image"].bytes_list.value.append(image.tobytes())
    return made.SerializeToString()
requests = {
    "serving_default": ("examples", [example(image) for image in images]),
    "images": ("images", images),
    "encoded_images": ("encoded_images", [tf.io.encode_png(image).numpy() for image in images]),
}
answers = {}
for signature, (key, batch) in requests.items():
    for count in (1, 7):
        answer = model.signatures[signature](**{key: tf.constant(batch[:count])})
        answers[f"{signature} {count}"] = {
            name: value.numpy().astype("U" if name == "class_name" else float).tolist()
            for name, value in answer.items()
        }
foreign = [name for name in sys.modules if name.split(".")[0] in ("kd_trainer", "components")]
print(json.dumps({"answers": answers, "foreign": foreign}))
"""


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    network = build("resnet8", 10)
    # Moving statistics and offsets that are not the initial ones.
    rng = np.random.default_rng(0)
    network.set_weights([w + rng.uniform(0, 0.01, w.shape) for w in network.get_weights()])
    return network


@pytest.fixture(scope="module")
def exported(network: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = tmp_path_factory.mktemp("model") / "nested"
    export(network, str(model / "Format-Serving"), NAMES)
    return model


def answer(served, signature: str, batch: np.ndarray | list[bytes]) -> dict[str, np.ndarray]:
    key, *_ = INPUTS[signature]
    outputs = served.signatures[signature](**{key: tf.constant(batch)})
    return {name: value.numpy() for name, value in outputs.items()}


@pytest.fixture(scope="module")
def served(exported: Path):
    return tf.saved_model.load(str(exported / "Format-Serving"))


@pytest.mark.slow
def test_it_serves_where_there_is_tensorflow_alone_and_after_it_was_moved(
    network: keras.Model, exported: Path, tmp_path: Path
) -> None:
    images = sample("test", 7).images
    request = tmp_path / "request.npy"
    np.save(request, images)
    shutil.copytree(exported, tmp_path / "elsewhere")
    moved = (tmp_path / "elsewhere").rename(tmp_path / "moved") / "Format-Serving"
    # -I: neither the working directory nor PYTHONPATH.
    ran = subprocess.run(
        [sys.executable, "-I", "-c", SERVE, str(moved), str(request)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
        encoding="utf-8",
    )
    found = json.loads(ran.stdout)
    assert found["foreign"] == []
    logits = np.array(network(images, training=False))
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    labels = logits.argmax(axis=1)
    assert found["answers"].keys() == {f"{name} {count}" for name in INPUTS for count in (1, 7)}
    for name, answer in found["answers"].items():
        count = int(name.split()[1])
        np.testing.assert_allclose(answer["logits"], logits[:count], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(answer["probabilities"], probabilities[:count], rtol=1e-4)
        assert answer["label"] == labels[:count].tolist()
        assert answer["class_name"] == [NAMES[label] for label in labels[:count]]


def test_signatures_say_what_they_take_and_give(served) -> None:
    def described(spec: tf.TensorSpec) -> tuple[str, list[int | None]]:
        return spec.dtype.name, spec.shape.as_list()

    assert set(served.signatures) == set(INPUTS)
    for name, (key, dtype, shape) in INPUTS.items():
        signature = served.signatures[name]
        _, inputs = signature.structured_input_signature
        assert {k: described(v) for k, v in inputs.items()} == {key: (dtype, shape)}
        outputs = signature.structured_outputs
        assert {k: described(v) for k, v in outputs.items()} == OUTPUTS


def resized(image: np.ndarray | tf.Tensor) -> np.ndarray:
    floats = tf.image.resize(tf.cast(image, tf.float32), (32, 32), "bilinear", antialias=True)
    return np.round(floats.numpy()).astype(np.uint8)


@pytest.mark.parametrize("size", [(48, 40), (20, 32), (300, 7)])
def test_an_encoded_image_of_another_size_is_resized_with_antialiasing(
    served, size: tuple[int, int]
) -> None:
    large = tf.image.resize(sample("test", 1).images[0], size, method="bicubic")
    large = tf.cast(tf.clip_by_value(large, 0, 255), tf.uint8)
    expected = answer(served, "images", resized(large)[None])
    found = answer(served, "encoded_images", [tf.io.encode_png(large).numpy()])
    np.testing.assert_allclose(found["logits"], expected["logits"], rtol=1e-5, atol=1e-5)


def test_an_encoded_image_may_be_gray_transparent_jpeg_or_gif(served) -> None:
    (image,) = sample("test", 1).images
    gray = image[:, :, :1]
    alpha = np.arange(32 * 32, dtype=np.uint8).reshape(32, 32, 1)
    jpeg = tf.io.encode_jpeg(image).numpy()
    cases = [
        (tf.io.encode_png(gray).numpy(), np.repeat(gray, 3, axis=2)),
        (tf.io.encode_png(np.concatenate([image, alpha], axis=2)).numpy(), image),
        (jpeg, tf.io.decode_jpeg(jpeg).numpy()),
        (GIF, resized(np.array([[[255, 0, 0], [0, 0, 255]]]))),
    ]
    encoded, decoded = zip(*cases, strict=True)
    expected = answer(served, "images", np.stack(decoded))
    found = answer(served, "encoded_images", list(encoded))
    np.testing.assert_allclose(found["logits"], expected["logits"], rtol=1e-5, atol=1e-5)


def test_what_is_no_image_is_refused(served) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="Unknown image file format"):
        answer(served, "encoded_images", [b"no image"])


def test_models_of_one_process_keep_their_own_class_names(
    network: keras.Model, served, tmp_path: Path
) -> None:
    renamed = [name.upper() for name in NAMES]
    export(network, str(tmp_path / "Format-Serving"), renamed)
    images = sample("test", 7).images
    other = tf.saved_model.load(str(tmp_path / "Format-Serving"))
    labels = answer(served, "images", images)["label"]
    for model, names in [(other, renamed), (served, NAMES)]:
        found = answer(model, "images", images)["class_name"]
        assert found.tolist() == [names[label].encode() for label in labels]


def test_warm_up_requests_are_answered_by_every_signature(exported: Path, served) -> None:
    requests = warm_up.read(exported / "Format-Serving")
    sizes: dict[str, set[int]] = {}
    for request in requests:
        name = request.model_spec.signature_name
        (key,) = request.inputs
        assert key == INPUTS[name][0]
        batch = tf.make_ndarray(request.inputs[key])
        found = answer(served, name, batch)
        assert found["label"].shape == (len(batch),)
        sizes.setdefault(name, set()).add(len(batch))
    assert sizes.keys() == INPUTS.keys()
    assert all(1 in counts and len(counts) > 1 for counts in sizes.values())


def test_assets_are_the_names_and_the_same_each_time(exported: Path, tmp_path: Path) -> None:
    def assets(model: Path) -> dict[str, str]:
        serving = model / "Format-Serving"
        files = [*serving.glob("assets/*"), *serving.glob("assets.extra/*")]
        return {
            str(file.relative_to(serving)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in files
        }

    names = exported / "Format-Serving" / "assets" / "class_names.txt"
    assert names.read_text(encoding="utf-8").splitlines() == NAMES
    export(load(str(exported)), str(tmp_path / "Format-Serving"), NAMES)
    assert assets(tmp_path) == assets(exported)
    assert assets(exported).keys() == {
        "assets/class_names.txt",
        "assets.extra/tf_serving_warmup_requests",
    }
    # Nor does the graph remember where the names were written first.
    assert b"/class_names.txt" not in (exported / "Format-Serving" / "saved_model.pb").read_bytes()


def test_class_names_are_those_of_cifar100_or_numbers() -> None:
    assert class_names(100) == FINE_LABELS
    assert class_names(3) == ("0", "1", "2")


def test_as_many_names_as_classes_are_wanted(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="100 class names for 5 classes"):
        export(tiny(size=32), str(tmp_path / "Format-Serving"), FINE_LABELS)
    assert list(tmp_path.iterdir()) == []


def test_what_is_loaded_predicts_the_same(network: keras.Model, exported: Path) -> None:
    images = sample("test", 7).images
    loaded = load(str(exported))
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in network.layers]
    np.testing.assert_array_equal(loaded(images), network(images))


def test_nothing_else_is_written(exported: Path) -> None:
    assert sorted(path.name for path in exported.iterdir()) == ["Format-Serving", "model.keras"]


def test_a_failing_write_leaves_no_serving_directory_and_may_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = tiny(size=32)
    target = tmp_path / "Format-Serving"
    save = tf.saved_model.save

    def broken(*arguments, **options):
        save(*arguments, **options)
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(tf.saved_model, "save", broken)
        with pytest.raises(OSError, match="no space left"):
            export(network, str(target), class_names(5))
    assert not target.exists()
    export(network, str(target), class_names(5))
    assert (target / "saved_model.pb").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Format-Serving", "model.keras"]
