"""What a training on several machines lays on the volume, and takes back."""

import json

import pytest

from pipeline.cluster import staging
from pipeline.cluster.executor import INPUT

pytestmark = pytest.mark.light


@pytest.fixture
def task(tmp_path):
    """A task's arguments, whose input is a folder with a file."""
    given = tmp_path / "minio" / "examples"
    given.mkdir(parents=True)
    (given / "records").write_text("records", encoding="utf-8")
    executor_input = {
        "inputs": {"artifacts": {"examples": {"artifacts": [{"uri": str(given)}]}}},
        "outputs": {
            "artifacts": {"model": {"artifacts": [{"uri": str(tmp_path / "minio" / "model")}]}},
            "outputFile": str(tmp_path / "minio" / "out" / "output.json"),
        },
    }
    return ["--executor_class_path", "Trainer", INPUT, json.dumps(executor_input)]


def uris(arguments, direction):
    executor_input = json.loads(arguments[arguments.index(INPUT) + 1])
    artifacts = executor_input[direction]["artifacts"].values()
    return [listed["artifacts"][0]["uri"] for listed in artifacts]


def test_inputs_are_copied_and_outputs_come_back(task, tmp_path):
    folder = tmp_path / "work"
    staging.stage(task, folder)
    staged = staging.arguments(folder)
    (examples,), (model,) = uris(staged, "inputs"), uris(staged, "outputs")
    assert (folder / "inputs" / "0").samefile(examples)
    assert (tmp_path / "work" / "inputs" / "0" / "records").read_text(encoding="utf-8") == "records"

    (folder / "outputs" / "0").mkdir(parents=True)
    (folder / "outputs" / "0" / "weights").write_text("weights", encoding="utf-8")
    (folder / "reported").mkdir()
    report = {"artifacts": {"model": {"artifacts": [{"uri": model, "name": "1"}]}}}
    (folder / "reported" / "output_metadata.json").write_text(json.dumps(report), encoding="utf-8")
    staging.collect(task, folder)
    (wanted,) = uris(task, "outputs")
    assert (tmp_path / "minio" / "model" / "weights").read_text(encoding="utf-8") == "weights"
    reported = json.loads((tmp_path / "minio" / "out" / "output.json").read_text(encoding="utf-8"))
    assert reported["artifacts"]["model"]["artifacts"] == [{"uri": wanted, "name": "1"}]


def test_other_workers_write_elsewhere(task, tmp_path):
    staging.stage(task, tmp_path / "work")
    staged = staging.arguments(tmp_path / "work", tmp_path / "scratch")
    assert uris(staged, "inputs") == uris(staging.arguments(tmp_path / "work"), "inputs")
    (model,) = uris(staged, "outputs")
    assert model.startswith(str(tmp_path / "scratch"))
