import json
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.cifar100_example_gen.reader import load
from components.cifar100_example_gen.sample import SAMPLE
from kd_trainer.export import export
from kd_trainer.labels import FINE_LABELS
from kd_trainer.networks import build
from pipeline.cli import main


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(0)
    return build("resnet8", 100)


@pytest.fixture(scope="module")
def workdir(network: keras.Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workdir in which two versions were pushed, the newer one of the network."""
    folder = tmp_path_factory.mktemp("workdir")
    keras.utils.set_random_seed(1)
    export(build("resnet8", 100), str(folder / "old" / "Format-Serving"), FINE_LABELS)
    export(network, str(folder / "new" / "Format-Serving"), FINE_LABELS)
    serving = folder / "serving" / "quick"
    serving.mkdir(parents=True)
    (folder / "old" / "Format-Serving").rename(serving / "9")
    (folder / "new" / "Format-Serving").rename(serving / "10")
    return folder


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return load(str(SAMPLE))[1]["test"].images[:2]


@pytest.fixture(scope="module")
def files(images: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("images")
    png, jpeg = folder / "first.png", folder / "second image.jpg"
    png.write_bytes(tf.io.encode_png(images[0]).numpy())
    large = tf.cast(tf.image.resize(images[1], (120, 160)), tf.uint8)
    jpeg.write_bytes(tf.io.encode_jpeg(large).numpy())
    return [png, jpeg]


def expected(network: keras.Model, image: np.ndarray) -> list[tuple[str, float]]:
    logits = np.array(network(image[None], training=False), dtype=np.float64)[0]
    probabilities = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    best = sorted(range(100), key=lambda label: -probabilities[label])[:5]
    return [(FINE_LABELS[label], probabilities[label]) for label in best]


def test_the_newest_version_answers_as_the_network(network, workdir, files, images, capsys) -> None:
    assert main(["predict", str(files[0]), "--workdir", str(workdir), "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    best = expected(network, images[0])
    assert answer["image"] == str(files[0])
    assert answer["model"] == str(workdir / "serving" / "quick" / "10")
    assert answer["class_name"] == best[0][0] == FINE_LABELS[answer["label"]]
    assert [row["class_name"] for row in answer["top"]] == [name for name, _ in best]
    assert [row["class_name"] for row in answer["top"]] == [
        FINE_LABELS[row["label"]] for row in answer["top"]
    ]
    found = [row["probability"] for row in answer["top"]]
    np.testing.assert_allclose(found, [value for _, value in best], rtol=1e-4)


def test_each_image_has_a_block(network, workdir, files, images, capsys) -> None:
    assert main(["predict", *map(str, files), "--workdir", str(workdir), "--name", "quick"]) == 0
    first, second = capsys.readouterr().out.strip().split("\n\n")
    head, *rows = first.splitlines()
    best = expected(network, images[0])
    assert head == f"{files[0]}: {best[0][0]}"
    assert [row.split() for row in rows] == [[f"{value:.2%}", name] for name, value in best]
    assert second.startswith(f"{files[1]}: ")
    assert len(second.splitlines()) == 6


def test_another_model_can_be_asked(workdir, files, capsys) -> None:
    model = workdir / "serving" / "quick" / "9"
    assert main(["predict", str(files[1]), "--model", str(model), "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert answer["model"] == str(model)


def refused(capsys, *arguments: object) -> str:
    assert main(["predict", *map(str, arguments)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


@pytest.mark.parametrize("content", [b"no image", b"\xff\xd8\xff\xe0 cut off"])
def test_why_a_file_is_no_image_is_said_without_tensorflows_nodes(
    content, workdir, files, tmp_path, capsys
) -> None:
    file = tmp_path / "broken.png"
    file.write_bytes(content)
    error = refused(capsys, files[0], file, "--workdir", workdir)
    assert "{{" not in error
    assert "[Op" not in error


def test_where_nothing_was_pushed(files, tmp_path, capsys) -> None:
    error = refused(capsys, files[0], "--workdir", tmp_path)
    assert "No version has been pushed" in error
    assert str(tmp_path / "serving") in error
    incomplete = tmp_path / "serving" / "quick" / "7"
    incomplete.mkdir(parents=True)
    assert "No version has been pushed" in refused(capsys, files[0], "--workdir", tmp_path)


def test_where_several_pipelines_were_pushed_one_is_named(workdir, files, tmp_path, capsys) -> None:
    for name in ("weekly", "quick"):
        version = tmp_path / "serving" / name / "1"
        shutil.copytree(workdir / "serving" / "quick" / "10", version)
    error = refused(capsys, files[0], "--workdir", tmp_path)
    assert "quick, weekly" in error
    assert "--name" in error
    error = refused(capsys, files[0], "--workdir", tmp_path, "--name", "weeky")
    assert "Did you mean 'weekly'" in error
    ask = ["predict", str(files[0]), "--workdir", str(tmp_path), "--name", "weekly", "--json"]
    assert main(ask) == 0
    assert json.loads(capsys.readouterr().out)[0]["model"] == str(
        tmp_path / "serving" / "weekly" / "1"
    )


def test_a_saved_model_that_takes_no_files_is_refused(files, tmp_path, capsys) -> None:
    module = tf.Module()
    module.double = tf.function(lambda x: {"y": 2 * x}, [tf.TensorSpec([], tf.float32, "x")])
    tf.saved_model.save(module, str(tmp_path / "model"), signatures={"double": module.double})
    error = refused(capsys, files[0], "--model", tmp_path / "model")
    assert "no signature 'encoded_images', only double" in error


@pytest.mark.slow
def test_it_needs_no_tfx(workdir, files) -> None:
    code = (
        "import sys; from pipeline.cli import main; "
        f"status = main(['predict', {str(files[0])!r}, '--workdir', {str(workdir)!r}]); "
        "assert not {'tfx', 'apache_beam'} & set(sys.modules); sys.exit(status)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, encoding="utf-8"
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith(f"{files[0]}: ")
    # TensorFlow's own messages are kept off the terminal.
    assert ran.stderr == ""
