import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from kd_helpers import sample, serialised, tiny

from kd_trainer.export import export, load
from kd_trainer.networks import build

# What a serving machine has: TensorFlow, and none of this repository.
SERVE = """
import json, sys
import numpy as np
import tensorflow as tf

model = tf.saved_model.load(sys.argv[1])
request = np.load(sys.argv[2], allow_pickle=False)
answers, types, names = {}, {}, {}
for name, count in [("images", 1), ("images", 7)]:
    answer = model.signatures[name](images=tf.constant(request["images"][:count]))
    answers[f"{name}_{count}"] = {key: value.numpy().tolist() for key, value in answer.items()}
for count in (1, 7):
    examples = tf.constant([bytes(row[:size]) for row, size in
                            zip(request["examples"][:count], request["sizes"])])
    answer = model.signatures["serving_default"](examples=examples)
    answers[f"examples_{count}"] = {key: value.numpy().tolist() for key, value in answer.items()}
    types = {key: value.dtype.name for key, value in answer.items()}
foreign = [name for name in sys.modules if name.split(".")[0] in ("kd_trainer", "components")]
print(json.dumps({"answers": answers, "types": types, "foreign": foreign,
                  "signatures": sorted(model.signatures)}))
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
    export(network, str(model / "Format-Serving"))
    return model


def test_it_serves_where_there_is_tensorflow_alone(
    network: keras.Model, exported: Path, tmp_path: Path
) -> None:
    images = sample("test", 7).images
    examples = [np.frombuffer(serialised(image, 0, "test-0"), np.uint8) for image in images]
    sizes = [len(example) for example in examples]
    table = np.stack([np.pad(example, (0, max(sizes) - len(example))) for example in examples])
    request = tmp_path / "request.npz"
    np.savez(request, images=images, examples=table, sizes=sizes)
    # -I: neither the working directory nor PYTHONPATH.
    served = subprocess.run(
        [sys.executable, "-I", "-c", SERVE, str(exported / "Format-Serving"), str(request)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    found = json.loads(served.stdout)
    assert found["signatures"] == ["images", "serving_default"]
    assert found["types"] == {"logits": "float32", "probabilities": "float32", "label": "int64"}
    assert found["foreign"] == []
    logits = np.array(network(images, training=False))
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
    assert len(found["answers"]) == 4
    for name, answer in found["answers"].items():
        count = int(name.split("_")[1])
        np.testing.assert_allclose(answer["logits"], logits[:count], rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(answer["probabilities"], probabilities[:count], rtol=1e-4)
        assert answer["label"] == logits[:count].argmax(axis=1).tolist()


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
    write_out = keras.export.ExportArchive.write_out

    def broken(self, *arguments, **options):
        write_out(self, *arguments, **options)
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(keras.export.ExportArchive, "write_out", broken)
        with pytest.raises(OSError, match="no space left"):
            export(network, str(target))
    assert not target.exists()
    export(network, str(target))
    assert (target / "saved_model.pb").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["Format-Serving", "model.keras"]
