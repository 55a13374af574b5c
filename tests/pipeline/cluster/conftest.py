"""A Kubeflow Pipelines server for the commands to talk to."""

import os
from pathlib import Path

import kfp
import pytest
from kfp_stub import KubeflowPipelines, serving

from pipeline.cli import main

SMALL = Path(__file__).parent / "small_pipeline.yaml"


@pytest.fixture
def server():
    return KubeflowPipelines()


@pytest.fixture
def kubeflow(server, tmp_path, monkeypatch):
    """Runs `tfx-distill kubeflow` with the arguments given, on the server."""
    # Neither the developer's settings nor a pod's.
    for name in list(os.environ):
        if name.startswith("KF_PIPELINES"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(kfp.Client, "_LOCAL_KFP_CONTEXT", str(tmp_path / "context.json"))
    with serving(server) as address:
        monkeypatch.setenv("KF_PIPELINES_ENDPOINT", address)
        yield lambda *arguments: main(["kubeflow", *map(str, arguments)])


@pytest.fixture
def spec(tmp_path):
    """A compiled pipeline that a test may change."""
    path = tmp_path / "small.yaml"
    path.write_bytes(SMALL.read_bytes())
    return path
