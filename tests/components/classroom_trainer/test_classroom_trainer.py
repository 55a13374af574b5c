"""Students that are taught together in the pipeline, on real images."""

import json
from pathlib import Path
from typing import Any

import keras
import pytest
from tfx.types import standard_artifacts

import schemas
from components.artifacts import DistillationSummary
from components.cifar100_example_gen.executor import Executor as ExampleGen
from components.cifar100_example_gen.sample import SAMPLE
from components.classroom_trainer.executor import Executor
from kd_trainer import progress
from kd_trainer.export import export, load
from kd_trainer.labels import FINE_LABELS
from kd_trainer.methods import resolve
from kd_trainer.networks import build

CONFIG = {
    "student": "resnet8",
    "recipe": {"epochs": 1, "batch_size": 32, "learning_rate": 0.001},
    "seed": 2,
}
OUTPUTS = {
    "model": standard_artifacts.Model,
    "model_run": standard_artifacts.ModelRun,
    "summary": DistillationSummary,
}
TAME = {"logits": {"name": "soft_logits"}, "attention": {"name": "attention_transfer"}}
WILD = {"wild": {"name": "soft_logits", "distillation_weight": 1e38}}


def artifact(kind: type, uri: Path) -> Any:
    made = kind()
    made.uri = str(uri)
    return made


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list]:
    folder = tmp_path_factory.mktemp("inputs")
    examples = artifact(standard_artifacts.Examples, folder / "examples")
    ExampleGen().Do(
        {},
        {"examples": [examples]},
        {"source": str(SAMPLE), "data_fingerprint": "", "eval_fraction": 0.2, "limit": 80},
    )
    schema = artifact(standard_artifacts.Schema, folder / "schema")
    Path(schema.uri).mkdir()
    (Path(schema.uri) / "schema.pbtxt").write_text(
        schemas.CIFAR100.read_text(encoding="utf-8"), encoding="utf-8"
    )
    keras.utils.set_random_seed(9)
    model = artifact(standard_artifacts.Model, folder / "teacher")
    export(build("resnet8", 100), f"{model.uri}/Format-Serving", FINE_LABELS)
    return {"examples": [examples], "schema": [schema], "teacher": [model]}


def taught(inputs: dict[str, list], folder: Path, specs: dict[str, Any]) -> dict[str, Any]:
    outputs = {
        f"{name}_{key}": artifact(kind, folder / name / key)
        for name in specs
        for key, kind in OUTPUTS.items()
    }
    students = {
        name: {"method": resolve(spec), "code_fingerprint": ""} for name, spec in specs.items()
    }
    exec_properties = {
        "config": json.dumps(CONFIG),
        "students": json.dumps(students),
        "checkpoint_dir": str(folder / "checkpoints"),
    }
    Executor().Do(inputs, {key: [value] for key, value in outputs.items()}, exec_properties)
    return outputs


def trained() -> tuple[list[str], Any]:
    """Returns whose epochs end from now on, and what ends the listening."""
    names: list[str] = []

    def listen(moment: progress.Progress) -> None:
        if moment.epoch_ended:
            names.append(moment.model)

    return names, progress.subscribe(listen)


@pytest.mark.slow
def test_those_who_did_not_diverge_are_not_trained_again(
    inputs: dict[str, list], tmp_path: Path
) -> None:
    names, unsubscribe = trained()
    try:
        with pytest.raises(FloatingPointError, match=r"not finite: kl.* of wild with seed 2"):
            taught(inputs, tmp_path, {**TAME, **WILD})
        assert set(names) == set(TAME)
        names.clear()
        outputs = taught(inputs, tmp_path, TAME)
        assert names == []
    finally:
        unsubscribe()
    # The wild one has left nothing, the others the state of their end.
    states = list((tmp_path / "checkpoints").iterdir())
    assert [path.suffix for path in states] == [".finished"] * len(TAME)
    for name, spec in TAME.items():
        found = json.loads(
            Path(outputs[f"{name}_summary"].uri, "summary.json").read_text(encoding="utf-8")
        )
        assert found["method"] == resolve(spec)
        assert found["seed"] == 2
        assert set(found["test"]) == {"teacher", "student"}
        (row,) = json.loads(
            Path(outputs[f"{name}_model_run"].uri, "history.json").read_text(encoding="utf-8")
        )
        assert row["val_accuracy"] >= 0
        model = outputs[f"{name}_model"]
        assert load(model.uri).name == "resnet8"
        assert model.get_string_custom_property("method").startswith(spec["name"])
