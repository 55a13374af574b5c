"""The calls in kubeflow/serving/README.md, against an exported SavedModel."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from loopback_server import Model, Ports, RefusedError, serving

from components.cifar100_example_gen.reader import load
from components.cifar100_example_gen.sample import SAMPLE
from kd_trainer import warm_up
from kd_trainer.export import export
from kd_trainer.labels import FINE_LABELS
from kd_trainer.networks import build

README = Path(__file__).parents[3] / "kubeflow" / "serving" / "README.md"
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
DOORS = {"rest": BLOCKS[:3], "grpc": BLOCKS[3:]}
SIGNATURES = ("encoded_images", "images", "serving_default")


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build("resnet8", 100)


@pytest.fixture(scope="module")
def model(network: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Model:
    directory = str(tmp_path_factory.mktemp("model") / "Format-Serving")
    export(network, directory, FINE_LABELS)
    return Model("quick", directory)


@pytest.fixture(scope="module")
def ports(model: Model) -> Ports:
    with serving(model) as ports:
        yield ports


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return load(str(SAMPLE))[1]["test"].images[0]


def asked(block: str, ports: Ports) -> str:
    """A block of the README with the ports of the server here."""
    for there, here in [("localhost:8500", ports.grpc), ("localhost:8501", ports.rest)]:
        block = block.replace(there, f"127.0.0.1:{here}")
    assert "localhost" not in block
    return block


def test_each_door_has_a_block_for_each_signature() -> None:
    assert len(BLOCKS) == 6
    for (first, *_), port in zip(DOORS.values(), ("localhost:8501", "localhost:8500"), strict=True):
        assert port in first
    for blocks in DOORS.values():
        for block, signature in zip(blocks, SIGNATURES, strict=True):
            assert f'predict("{signature}", ' in block


@pytest.mark.parametrize("door", DOORS)
def test_the_readme_is_answered_as_the_network_answers(
    door, network, ports, image, tmp_path, monkeypatch, capsys
) -> None:
    jpeg = tf.io.encode_jpeg(image, quality=95).numpy()
    (tmp_path / "photo.jpg").write_bytes(jpeg)
    monkeypatch.chdir(tmp_path)
    orange = np.full((32, 32, 3), [255, 165, 0], np.uint8)
    names = {}  # the later blocks go on from the first
    for block, shown in zip(DOORS[door], (tf.io.decode_jpeg(jpeg), orange, orange), strict=True):
        exec(compile(asked(block, ports), "README.md", "exec"), names)
        class_name, probability = capsys.readouterr().out.split()
        probabilities = tf.nn.softmax(network(shown[None], training=False))[0].numpy()
        assert class_name == FINE_LABELS[probabilities.argmax()]
        assert float(probability) == pytest.approx(probabilities.max(), rel=1e-4)


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ('predict("encoded_images"', 'predict("encoded"'),
        ('predict("encoded_images"', 'predict("images"'),
        ("quick", "slow"),
        ('"b64"', '"base64"'),
        ('"instances"', '"instance"'),
        ('"encoded_images", [', '"images", ['),
        ("[file.read()]", "file.read()"),
        ("* 32] * 32", "* 32] * 31"),
        ("255, 165, 0], np.uint8", "255, 165, 0], np.int64"),
        ('"examples", ', '"images", '),
        ("* 32 * 32)", "* 32 * 31)"),
    ],
)
def test_a_call_that_does_not_fit_the_model_is_refused(
    there, instead, ports, tmp_path, monkeypatch, image
) -> None:
    """Or the test above could not fail."""
    (tmp_path / "photo.jpg").write_bytes(tf.io.encode_jpeg(image).numpy())
    monkeypatch.chdir(tmp_path)
    assert there in "".join(BLOCKS)
    for blocks in DOORS.values():
        text = "\n".join(asked(block, ports) for block in blocks)
        if there not in text:
            continue
        with pytest.raises(Exception, match=r"400|INVALID_ARGUMENT"):
            exec(compile(text.replace(there, instead), "README.md", "exec"), {})


def test_warm_up_requests_fit_the_model(model: Model, tmp_path: Path, network) -> None:
    export(network, str(tmp_path / "Format-Serving"), FINE_LABELS)
    requests = warm_up.read(tmp_path / "Format-Serving")
    for request in requests:
        with pytest.raises(RefusedError, match="Servable not found"):
            model.predict(request)  # they name no model: the server knows whose they are
        request.model_spec.name = "quick"
        outputs = model.predict(request).outputs
        assert set(outputs) == {"logits", "probabilities", "label", "class_name"}
    assert len(requests) == 6
