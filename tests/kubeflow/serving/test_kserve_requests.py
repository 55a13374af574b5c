"""A pushed version asked through the model server of KServe's own package."""

import base64
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.atomic_pusher.push import push
from components.cifar100_example_gen.reader import load
from components.cifar100_example_gen.sample import SAMPLE
from kd_trainer.export import export
from kd_trainer.labels import FINE_LABELS
from kd_trainer.networks import build

pytestmark = pytest.mark.slow  # installs TensorFlow's newest release

ROOT = Path(__file__).parents[3]
# kserve wants a newer protobuf than TFX's TensorFlow takes.
PACKAGES = ("kserve==0.21.0", "tensorflow==2.21.0")
PATIENCE = 300


@pytest.fixture(scope="module")
def python() -> list[str]:
    """A command that starts Python where `kserve` is."""
    uv = shutil.which("uv") or shutil.which("uv", path=ROOT / ".tools" / "bin")
    if uv is None:
        pytest.skip("uv is not there to install kserve with")
    given = [part for package in PACKAGES for part in ("--with", package)]
    command = [
        uv,
        "run",
        "--no-project",
        # Elsewhere than in the checkout, whose pyproject.toml says how new a package may be.
        f"--directory={tempfile.gettempdir()}",
        "--python",
        sys.executable,
        *given,
        "python",
    ]
    installed = subprocess.run(
        [*command, "-c", ""], capture_output=True, text=True, encoding="utf-8"
    )
    if installed.returncode:
        pytest.skip(f"uv cannot install {' and '.join(PACKAGES)}: {installed.stderr}")
    return command


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build("resnet8", 100)


@pytest.fixture(scope="module")
def version(network: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("pushed")
    exported = folder / "Format-Serving"
    export(network, str(exported), FINE_LABELS)
    return push(
        str(folder / "serving" / "quick"),
        lambda to: shutil.copytree(exported, to, dirs_exist_ok=True),
    )


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return load(str(SAMPLE))[1]["test"].images[:3]


@pytest.fixture(scope="module")
def server(python: list[str], version: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    script = Path(__file__).with_name("kserve_server.py")
    options = [f"--model_dir={version}", "--model_name=quick", f"--http_port={port}"]
    log = tmp_path_factory.mktemp("kserve") / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*python, script, *options], stdout=output, stderr=subprocess.STDOUT
        )
        try:
            url = f"http://127.0.0.1:{port}"
            until = time.monotonic() + PATIENCE
            while not ready(url):
                assert process.poll() is None, log.read_text(encoding="utf-8")
                assert time.monotonic() < until, log.read_text(encoding="utf-8")
                time.sleep(0.2)
            yield url
        finally:
            process.terminate()
            process.wait()


def ready(url: str) -> bool:
    try:
        with urlopen(f"{url}/v2/models/quick/ready", timeout=10) as response:
            return response.status == 200
    except URLError:
        return False


def in_json(signature: str, images: np.ndarray) -> list:
    """Returns a signature's values, bytes in base64."""
    if signature == "images":
        return images.tolist()
    if signature == "encoded_images":
        files = [tf.io.encode_png(image).numpy() for image in images]
    else:
        examples = [tf.train.Example() for _ in images]
        for example, image in zip(examples, images, strict=True):
            example.features.feature["image"].bytes_list.value.append(image.tobytes())
        files = [example.SerializeToString() for example in examples]
    return [base64.b64encode(file).decode() for file in files]


def answer(url: str, body: dict) -> dict:
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(url, json.dumps(body).encode(), headers), timeout=60) as response:
        return json.load(response)


SIGNATURES = pytest.mark.parametrize("signature", ["serving_default", "images", "encoded_images"])


def check(logits, class_names, network, images) -> None:
    expected = network(images, training=False).numpy()
    # Equal where it was tried; two releases of TensorFlow may round differently elsewhere.
    np.testing.assert_allclose(np.float32(logits), expected, rtol=0, atol=1e-5)
    assert list(class_names) == [FINE_LABELS[label] for label in expected.argmax(-1)]


@SIGNATURES
def test_version_1_answers_as_the_network_does(signature, server, network, images) -> None:
    values = in_json(signature, images)
    rows = values if signature == "images" else [{"b64": value} for value in values]
    body = {"signature_name": signature, "instances": rows}
    predictions = answer(f"{server}/v1/models/quick:predict", body)["predictions"]
    logits, class_names = ([row[key] for row in predictions] for key in ("logits", "class_name"))
    check(logits, class_names, network, images)


@SIGNATURES
def test_version_2_answers_as_the_network_does(signature, server, network, images) -> None:
    tensor = {"name": "images", "datatype": "UINT8", "shape": list(images.shape)}
    if signature != "images":
        name = "examples" if signature == "serving_default" else signature
        tensor = {"name": name, "datatype": "BYTES", "shape": [len(images)]}
    tensor["data"] = in_json(signature, images)
    body = {"id": signature, "inputs": [tensor]}
    outputs = answer(f"{server}/v2/models/quick/infer", body)["outputs"]
    columns = {output["name"]: np.reshape(output["data"], output["shape"]) for output in outputs}
    check(columns["logits"], columns["class_name"], network, images)
