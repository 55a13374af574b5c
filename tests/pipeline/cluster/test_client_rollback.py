"""A rollback by a task in the cluster."""

import shutil
from pathlib import Path

import pytest
import yaml
from platform_fields import EXECUTOR, mistakes

from pipeline.cluster import waiting
from pipeline.cluster.commands import FAILED

pytestmark = pytest.mark.light

QUICK = Path(__file__).parent / "quick.yaml"


@pytest.fixture
def rollback(kubeflow, server, tmp_path, monkeypatch):
    monkeypatch.setattr(waiting, "PAUSE", 0.01)
    spec = tmp_path / "quick.yaml"
    shutil.copy(QUICK, spec)
    assert kubeflow("submit", "--spec", spec) == 0
    server.looks = [("SUCCEEDED", {"rollback": "SUCCEEDED"})]
    return lambda *words: kubeflow("rollback", *words)


def uploaded(server):
    """The newest upload, and the run of it."""
    *_, content = server.uploads.values()
    *_, run = server.runs.values()
    return *yaml.safe_load_all(content), run


def test_one_task_with_the_pushers_image_volume_and_directory(rollback, server, capsys):
    assert rollback("quick", "--reason", "wrong on dogs") == 0
    spec, platform, run = uploaded(server)
    assert spec["pipelineInfo"]["name"] == "quick-rollback"
    assert list(spec["root"]["dag"]["tasks"]) == ["rollback"]
    (container,) = [each["container"] for each in spec["deploymentSpec"]["executors"].values()]
    assert container["args"] == [
        *("rollback", "--directory", "/work/serving/quick"),
        *("--reason", "{{$.inputs.parameters['reason']}}"),
    ]
    assert run["runtime_config"]["parameters"] == {"reason": "wrong on dogs"}
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    assert parameters["image"]["defaultValue"] == "tfx-distill:latest"
    (pod,) = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values()
    assert pod["pvcMount"] == [{"constant": "tfx-distill", "mountPath": "/work"}]
    assert not mistakes(pod, EXECUTOR, "rollback")
    # It is done anew each time, and once.
    (task,) = spec["root"]["dag"]["tasks"].values()
    assert not task["cachingOptions"]
    assert "retryPolicy" not in task
    out = capsys.readouterr().out
    assert "the run succeeded" in out
    assert "which version" in out


def test_the_newest_version_of_the_pipeline_counts(rollback, kubeflow, server, tmp_path):
    spec = tmp_path / "quick.yaml"
    spec.write_text(
        QUICK.read_text(encoding="utf-8").replace("/work/serving/quick", "/work/elsewhere"),
        encoding="utf-8",
    )
    assert kubeflow("submit", "--spec", spec) == 0
    assert rollback("quick") == 0
    spec, _, _ = uploaded(server)
    (container,) = [each["container"] for each in spec["deploymentSpec"]["executors"].values()]
    assert "/work/elsewhere" in container["args"]


def test_the_only_version_and_another_image(rollback, server):
    assert rollback("quick", "--last", "--image", "registry/tfx-distill:8") == 0
    spec, _, run = uploaded(server)
    (container,) = [each["container"] for each in spec["deploymentSpec"]["executors"].values()]
    assert container["args"][-1] == "--last"
    assert run["runtime_config"]["parameters"]["image"] == "registry/tfx-distill:8"


def test_a_task_that_fails(rollback, server, capsys):
    server.looks = [("FAILED", {"rollback": "FAILED"})]
    assert rollback("quick") == FAILED
    assert "the run failed" in capsys.readouterr().out


def test_a_pipeline_that_is_not_there(rollback, server, capsys):
    before = len(server.runs)
    assert rollback("quikc") == 2
    assert "no pipeline 'quikc'" in capsys.readouterr().err
    assert len(server.runs) == before


def test_a_pipeline_that_pushes_nothing(kubeflow, server, spec, capsys):
    assert kubeflow("submit", "--spec", spec, "--parameter", "source=/data") == 0
    assert kubeflow("rollback", "small") == 2
    assert "no task 'pusher'" in capsys.readouterr().err
    assert len(server.runs) == 1
