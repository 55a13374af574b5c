import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from kd_helpers import sample, write_examples

import schemas
from kd_trainer.errors import ConfigError
from kd_trainer.export import load
from kd_trainer.run_fn import run_fn


@pytest.fixture(scope="module")
def splits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    for split, count in [("train", 64), ("test", 32)]:
        ids = [f"{split}-{number:03d}" for number in range(count)]
        write_examples(folder / split, sample(split, count), ids)
    return folder


def fn_args(splits: Path, out: Path, *, validate: bool, **recipe) -> SimpleNamespace:
    return SimpleNamespace(
        train_files=[str(splits / "train*")],
        eval_files=[str(splits / "test*")],
        schema_path=str(schemas.CIFAR100),
        serving_model_dir=str(out / "Format-Serving"),
        model_run_dir=str(out / "run"),
        custom_config={
            "name": "baseline",
            "network": "resnet8",
            "recipe": {"epochs": 1, "batch_size": 32, "learning_rate": 0.01} | recipe,
            "seed": 3,
            "validate": validate,
            "checkpoint_dir": str(out / "checkpoints"),
        },
    )


def test_it_trains_and_exports(splits: Path, tmp_path: Path) -> None:
    run_fn(fn_args(splits, tmp_path, validate=True))
    network = load(str(tmp_path))
    assert network.output_shape == (None, 100)
    images = sample("test", 3).images
    served = tf.saved_model.load(str(tmp_path / "Format-Serving"))
    logits = served.signatures["images"](images=tf.constant(images))["logits"]
    np.testing.assert_allclose(logits, network(images), rtol=1e-4, atol=1e-5)
    [row] = json.loads((tmp_path / "run" / "history.json").read_text(encoding="utf-8"))
    assert row["stage"] == "task"
    # The moving averages have left where they started: the weights are trained ones.
    assert np.abs(network.get_layer("stem_preact").moving_mean).max() > 0
    data = sample("test", 32)
    accuracy = np.mean(np.argmax(network(data.images), axis=1) == data.labels)
    assert row["val_accuracy"] == pytest.approx(accuracy)


def test_the_eval_files_are_left_alone_unless_they_may_be_chosen_by(
    splits: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="no eval split"):
        run_fn(fn_args(splits, tmp_path, validate=False, keep="best"))
    assert not (tmp_path / "Format-Serving").exists()
