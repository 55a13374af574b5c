import json
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

import schemas
from components.artifacts import DistillationSummary, KeptTeacherOutputs
from components.cifar100_example_gen.executor import Executor as ExampleGen
from components.cifar100_example_gen.reader import read
from components.cifar100_example_gen.sample import SAMPLE
from components.distill_trainer.executor import Executor
from kd_trainer.errors import ConfigError
from kd_trainer.export import export, load
from kd_trainer.labels import FINE_LABELS
from kd_trainer.methods import label, resolve
from kd_trainer.networks import build


class Inputs(NamedTuple):
    artifacts: dict[str, list]
    teacher: keras.Model


def artifact(kind: type, uri: Path) -> Any:
    made = kind()
    made.uri = str(uri)
    return made


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Inputs:
    folder = tmp_path_factory.mktemp("inputs")
    examples = artifact(standard_artifacts.Examples, folder / "examples")
    ExampleGen().Do(
        {},
        {"examples": [examples]},
        {"source": str(SAMPLE), "data_fingerprint": "", "eval_fraction": 0.2, "limit": 120},
    )
    schema = artifact(standard_artifacts.Schema, folder / "schema")
    Path(schema.uri).mkdir()
    (Path(schema.uri) / "schema.pbtxt").write_text(
        schemas.CIFAR100.read_text(encoding="utf-8"), encoding="utf-8"
    )
    keras.utils.set_random_seed(9)
    teacher = build("resnet8", 100)
    model = artifact(standard_artifacts.Model, folder / "teacher")
    export(teacher, f"{model.uri}/Format-Serving", FINE_LABELS)
    return Inputs({"examples": [examples], "schema": [schema], "teacher": [model]}, teacher)


def distil(
    inputs: Inputs, folder: Path, method: dict, gigabytes: float = 0.0, **recipe
) -> tuple[dict[str, Any], dict]:
    config = {
        "student": "resnet8",
        "recipe": {"epochs": 1, "batch_size": 32, "learning_rate": 0.001, **recipe},
        "seed": 2,
    }
    outputs = {
        "model": artifact(standard_artifacts.Model, folder / "model"),
        "model_run": artifact(standard_artifacts.ModelRun, folder / "model_run"),
        "summary": artifact(DistillationSummary, folder / "summary"),
    }
    if gigabytes:
        outputs["teacher_outputs"] = artifact(KeptTeacherOutputs, folder / "teacher_outputs")
    Executor().Do(
        inputs.artifacts,
        {key: [value] for key, value in outputs.items()},
        {
            "config": json.dumps(config),
            "method": json.dumps(method),
            "method_preset": "",
            "code_fingerprint": "",
            "checkpoint_dir": str(folder / "checkpoints"),
            "teacher_cache_dir": str(folder.parent / "kept"),
            "teacher_cache_gigabytes": gigabytes,
        },
    )
    return outputs, {**config, "method": method}


# One stage, several with adapters, the images' positions, several methods at once.
SPECS = {
    "soft_logits": {"name": "soft_logits"},
    "factor_transfer": {"name": "factor_transfer"},
    "crd": {"name": "crd", "negatives": 16},
    "combination": [{"name": "fitnet", "weight": 0.5}, {"name": "kd_svd"}],
}


@pytest.mark.slow
@pytest.mark.parametrize("case", SPECS)
def test_a_method_distils_a_student(case: str, inputs: Inputs, tmp_path: Path) -> None:
    spec = resolve(SPECS[case])
    outputs, config = distil(inputs, tmp_path, spec)
    student = load(outputs["model"].uri)
    own = build("resnet8", 100)
    assert student.count_params() == own.count_params()
    assert [layer.name for layer in student.layers] == [layer.name for layer in own.layers]

    test = read(str(SAMPLE), "test", 120)
    served = tf.saved_model.load(outputs["model"].uri + "/Format-Serving")
    answer = served.signatures["images"](images=tf.constant(test.images))
    np.testing.assert_allclose(answer["logits"], student(test.images), rtol=1e-4, atol=1e-4)

    history = json.loads((tmp_path / "model_run" / "history.json").read_text(encoding="utf-8"))
    stages = list(dict.fromkeys(row["stage"] for row in history))
    assert history
    for stage in stages:
        assert list((tmp_path / "model_run" / stage).rglob("events.out.*"))
    assert "val_accuracy" in history[-1]

    summary = json.loads((tmp_path / "summary" / "summary.json").read_text(encoding="utf-8"))
    assert {key: summary[key] for key in config} == config
    trainable = sum(int(np.prod(weight.shape)) for weight in own.trainable_variables)
    assert summary["parameters"] == dict.fromkeys(("teacher", "baseline", "student"), trainable)
    assert summary["seconds"] == pytest.approx(sum(row["seconds"] for row in history), abs=0.1)
    for side, network in [("teacher", inputs.teacher), ("student", student)]:
        order = np.argsort(-np.array(network(test.images)), axis=1)
        hits = order == test.labels[:, None]
        assert summary["test"][side]["top1"] == pytest.approx(hits[:, 0].mean())
        assert summary["test"][side]["top5"] == pytest.approx(hits[:, :5].any(axis=1).mean())
    model = outputs["model"]
    assert model.get_string_custom_property("method") == label(spec)
    assert model.get_float_custom_property("test_top1") == summary["test"]["student"]["top1"]


def test_a_tap_that_a_network_lacks_stops_it_with_nothing_exported(
    inputs: Inputs, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="no tap named 'stage4'"):
        distil(inputs, tmp_path, {"name": "fitnet", "taps": ["stage4"]})
    assert not (tmp_path / "model").exists()


def test_the_best_epoch_is_chosen_on_eval_and_never_on_test(inputs: Inputs, tmp_path: Path) -> None:
    [examples] = inputs.artifacts["examples"]
    without = standard_artifacts.Examples()
    without.uri, without.split_names = examples.uri, '["train", "test"]'
    lacking = Inputs(inputs.artifacts | {"examples": [without]}, inputs.teacher)
    with pytest.raises(ConfigError, match="no eval split"):
        distil(lacking, tmp_path, {"name": "soft_logits"}, keep="best")


@pytest.mark.slow
def test_a_second_training_finds_the_teachers_outputs(inputs: Inputs, tmp_path: Path) -> None:
    found = []
    for number, method in enumerate(("soft_logits", "dkd")):
        folder = tmp_path / str(number)
        outputs, _ = distil(inputs, folder, {"name": method}, gigabytes=0.1)
        (use,) = json.loads(
            (folder / "teacher_outputs" / "outputs.json").read_text(encoding="utf-8")
        )
        assert Path(use["directory"]).parent == tmp_path / "kept"
        said = outputs["teacher_outputs"].get_string_custom_property(f"outputs_{use['key']}")
        found.append((use["found"], use["asked"], said))
    (none, seen, _), (there, asked, said) = found
    assert (none, there) == (0, seen)
    assert seen == asked > 0
    assert said.startswith(f"100.0% of {seen} were kept by earlier trainings")
