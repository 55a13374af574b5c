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
BLOCKS = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)


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


def test_there_is_a_block_for_each_door() -> None:
    assert len(BLOCKS) == 2
    assert "localhost:8501" in BLOCKS[0]
    assert "localhost:8500" in BLOCKS[1]


@pytest.mark.parametrize("block", BLOCKS, ids=["rest", "grpc"])
def test_the_readme_is_answered_as_the_network_answers(
    block, network, ports, image, tmp_path, monkeypatch, capsys
) -> None:
    jpeg = tf.io.encode_jpeg(image, quality=95).numpy()
    (tmp_path / "photo.jpg").write_bytes(jpeg)
    monkeypatch.chdir(tmp_path)
    exec(compile(asked(block, ports), "README.md", "exec"), {})
    class_name, probability = capsys.readouterr().out.split()
    logits = network(tf.io.decode_jpeg(jpeg)[None], training=False)
    probabilities = tf.nn.softmax(logits)[0].numpy()
    assert class_name == FINE_LABELS[probabilities.argmax()]
    assert float(probability) == pytest.approx(probabilities.max(), rel=1e-4)


@pytest.mark.parametrize(
    ("there", "instead"),
    [
        ('"encoded_images"', '"encoded"'),
        ('"encoded_images"', '"images"'),
        ("quick", "slow"),
        ('"b64"', '"base64"'),
        ('"instances"', '"instance"'),
        ('inputs["encoded_images"]', 'inputs["images"]'),
        ("[file.read()]", "file.read()"),
    ],
)
def test_a_call_that_does_not_fit_the_model_is_refused(
    there, instead, ports, tmp_path, monkeypatch, image
) -> None:
    """Or the test above could not fail."""
    (tmp_path / "photo.jpg").write_bytes(tf.io.encode_jpeg(image).numpy())
    monkeypatch.chdir(tmp_path)
    blocks = [block for block in BLOCKS if there in block]
    assert blocks
    for block in blocks:
        with pytest.raises(Exception, match=r"400|INVALID_ARGUMENT"):
            exec(compile(asked(block.replace(there, instead), ports), "README.md", "exec"), {})


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
