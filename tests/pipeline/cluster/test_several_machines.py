"""A training on several machines, whose pods are processes."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from jobs_stub import ROOT, Kubernetes, serve
from task_arguments import TITLE, arguments

from components.cifar100_example_gen.sample import SAMPLE
from kd_trainer.recipe import Recipe
from pipeline.cluster import entrypoint
from pipeline.cluster.settings import KubeflowConfig
from schemas import CIFAR100

pytestmark = pytest.mark.slow

TASK = Path(__file__).with_name("task_process.py")
EXAMPLE_GEN = "components.cifar100_example_gen.executor.Executor"
TRAINER = "tfx.components.trainer.executor.GenericExecutor"


def command_line(executor_class, values, inputs, outputs, folder):
    """A task's command line; inputs and outputs are artifacts and types by key."""
    listed = {
        key: {"artifacts": [{"name": "1", "type": {}, **artifact}]}
        for key, (_, artifact) in inputs.items()
    }
    made = {
        key: {"artifacts": [{"uri": str(folder / key), "type": {"instanceSchema": TITLE(name)}}]}
        for key, name in outputs.items()
    }
    executor_input = {
        "inputs": {"parameterValues": values, "artifacts": listed},
        "outputs": {"artifacts": made, "outputFile": str(folder / "out" / "output.json")},
    }
    types = {key: name for key, (name, _) in inputs.items()}
    return arguments(executor_class, executor_input, types)


@pytest.fixture(scope="module")
def examples(tmp_path_factory):
    folder = tmp_path_factory.mktemp("examples")
    values = {"source": str(SAMPLE), "data_fingerprint": "", "eval_fraction": 0.5, "limit": 32}
    outputs = {"examples": "Examples"}
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pipeline.cluster.entrypoint",
            *command_line(EXAMPLE_GEN, values, {}, outputs, folder),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr[-3000:]
    reported = json.loads((folder / "out" / "output.json").read_text(encoding="utf-8"))
    (artifact,) = reported["artifacts"]["examples"]["artifacts"]
    return {"uri": artifact["uri"], "metadata": artifact["metadata"]}


def trainer(examples, folder, distribution, **settings):
    recipe = Recipe(
        epochs=5, batch_size=8, learning_rate=0.001, milestones=(), distribution=distribution
    )
    config = {
        "name": "teacher",
        "network": "resnet8",
        "recipe": recipe.model_dump(mode="json"),
        "seed": 2,
        "validate": True,
        "checkpoint_dir": str(folder / "checkpoints"),
    }
    values = {
        "run_fn": "kd_trainer.run_fn.run_fn",
        "train_args": '{"splits": ["train"]}',
        "eval_args": '{"splits": ["eval"]}',
        "custom_config": json.dumps(config),
        "image": "registry.example/tfx-distill:1",
    }
    schema = folder / "schema"
    schema.mkdir()
    shutil.copy(CIFAR100, schema)
    given = {
        "examples": ("Examples", examples),
        "schema": ("Schema", {"uri": str(schema)}),
    }
    made = {"model": "Model", "model_run": "ModelRun"}
    words = command_line(TRAINER, values, given, made, folder / "outputs")
    if distribution == "multi_worker":
        configured = KubeflowConfig(gpu={"count": 0}, **settings)
        words += [entrypoint.WORKERS, configured.model_dump_json()]
    return words


@pytest.fixture
def cluster(tmp_path):
    cluster = Kubernetes(tmp_path)
    server = serve(cluster)
    cluster.address = f"http://127.0.0.1:{server.server_address[1]}"
    yield cluster
    server.shutdown()
    server.server_close()
    for pod in cluster.pods:
        pod.kill()


def start(cluster, folder, task):
    variables = {"KFP_POD_NAME": "a-pod", "KFP_POD_UID": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, str(TASK), cluster.address, str(folder), *task],
        env={**os.environ, **variables, "CUDA_VISIBLE_DEVICES": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )


def history(folder):
    (path,) = (folder / "outputs" / "model_run").rglob("history.json")
    return json.loads(path.read_text(encoding="utf-8"))


def losses(folder):
    return [{key: row[key] for key in row.keys() - {"seconds"}} for row in history(folder)]


def assert_removed(cluster, folder):
    assert cluster.objects == {"jobs": {}, "services": {}}
    assert not list((folder / "workers").iterdir())
    assert all(pod.process is None or pod.process.poll() is not None for pod in cluster.ended_pods)


def await_state(folder, task):
    """Waits for the first state that the chief keeps."""
    while task.poll() is None and not list(folder.glob("checkpoints/*.npz")):
        time.sleep(0.05)
    assert task.poll() is None, task.communicate()[0][-3000:]


def test_two_pods_train_what_one_process_does_though_one_is_killed(cluster, examples, tmp_path):
    alone, together = tmp_path / "alone", tmp_path / "together"
    alone.mkdir()
    together.mkdir()
    one = start(cluster, alone, trainer(examples, alone, "none"))
    printed, _ = one.communicate()
    assert one.returncode == 0, printed[-3000:]
    assert not cluster.created

    task = trainer(examples, together, "multi_worker")
    first = start(cluster, together, task)
    await_state(together, first)
    cluster.pods[1].kill()
    printed, _ = first.communicate()
    assert first.returncode == 1, printed[-3000:]
    assert "-1-abcde ended with exit status 137" in printed
    assert_removed(cluster, together)

    (state,) = together.glob("checkpoints/*.npz")
    kept = json.loads(str(np.load(state)["position"]))["history"]
    assert kept
    again = start(cluster, together, task)  # as its retry policy has Kubeflow do
    printed, _ = again.communicate()
    assert again.returncode == 0, printed[-3000:]
    assert_removed(cluster, together)
    assert losses(together) == [pytest.approx(row, rel=1e-3) for row in losses(alone)]
    assert history(together)[: len(kept)] == kept  # down to the seconds that it took
    output = json.loads((together / "outputs" / "out" / "output.json").read_text(encoding="utf-8"))
    uris = [
        artifact["uri"] for each in output["artifacts"].values() for artifact in each["artifacts"]
    ]
    assert sorted(uris) == [str(together / "outputs" / key) for key in ("model", "model_run")]
    assert list((together / "outputs" / "model").rglob("saved_model.pb"))


def test_a_killed_task_leaves_no_job(cluster, examples, tmp_path):
    task = start(cluster, tmp_path, trainer(examples, tmp_path, "multi_worker"))
    while task.poll() is None and not cluster.pods:
        time.sleep(0.05)
    task.send_signal(signal.SIGTERM)
    printed, _ = task.communicate()
    assert task.returncode == 128 + signal.SIGTERM, printed[-3000:]
    assert_removed(cluster, tmp_path)
