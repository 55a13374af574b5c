"""The Job of a training on several machines, whose pods are small programs."""

import json
import os
import signal

import kubernetes
import pytest
from jobs_stub import Kubernetes, serve

from kd_trainer.errors import ConfigError, UserError
from pipeline.cluster import executor, job, worker
from pipeline.cluster.errors import ServerError
from pipeline.cluster.settings import KubeflowConfig

pytestmark = pytest.mark.light

TRAINED = """
import json, os, pathlib, sys
folder = pathlib.Path(sys.argv[1])
index = os.environ["JOB_COMPLETION_INDEX"]
print("worker", index, "trains")
if index == "0":
    for name in ("outputs/0", "reported"):
        (folder / name).mkdir(parents=True)
    (folder / "outputs" / "0" / "weights").write_text((folder / "inputs/0/records").read_text())
    report = {"artifacts": {"model": {"artifacts": [{"uri": str(folder / "outputs" / "0")}]}}}
    (folder / "reported" / "output_metadata.json").write_text(json.dumps(report))
"""
SECOND_ENDS = """
import os, sys, time
if os.environ["JOB_COMPLETION_INDEX"] == "1":
    sys.exit({text!r} if {status} == 1 else {status})
time.sleep(60)
"""


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A cluster as a task's pod sees it."""
    cluster = Kubernetes(tmp_path, program=TRAINED)
    server = serve(cluster)

    def load():
        configuration = kubernetes.client.Configuration()
        configuration.host = f"http://127.0.0.1:{server.server_address[1]}"
        kubernetes.client.Configuration.set_default(configuration)

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(kubernetes.config, "load_incluster_config", load)
    monkeypatch.setattr(job, "WORKDIR", tmp_path / "work")
    monkeypatch.setattr(job, "_NAMESPACE", tmp_path / "namespace")
    monkeypatch.setattr(job, "_POLL", 0.05)
    monkeypatch.setenv("KFP_POD_NAME", "a-pod")
    monkeypatch.setenv("KFP_POD_UID", "1")
    (tmp_path / "namespace").write_text("ns\n", encoding="utf-8")
    yield cluster
    kubernetes.client.Configuration.set_default(None)
    signal.signal(signal.SIGTERM, before)
    server.shutdown()
    server.server_close()
    for pod in cluster.pods:
        pod.kill()


@pytest.fixture
def task(tmp_path):
    """A trainer's arguments."""
    (tmp_path / "examples").mkdir()
    (tmp_path / "examples" / "records").write_text("records", encoding="utf-8")
    executor_input = {
        "inputs": {"artifacts": {"e": {"artifacts": [{"uri": str(tmp_path / "examples")}]}}},
        "outputs": {
            "artifacts": {"model": {"artifacts": [{"uri": str(tmp_path / "model")}]}},
            "outputFile": str(tmp_path / "output.json"),
        },
    }
    return [executor.INPUT, json.dumps(executor_input)]


def run(task, **settings):
    # GPUs, secrets and nodes are in the manifests, which the stub holds against their schema.
    secret = {"secret": "aws", "env": {"AWS_ACCESS_KEY_ID": "id"}}
    more = {"node_selector": {"pool": "gpu"}, "image_pull_secret": "pull", "secret_env": [secret]}
    tolerations = [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    job.run(task, KubeflowConfig(tolerations=tolerations, **more, **settings), "an/image:1")


def assert_removed(cluster, tmp_path):
    assert cluster.objects == {"jobs": {}, "services": {}}
    assert not list((tmp_path / "work" / "workers").iterdir())
    assert all(pod.process is None or pod.process.poll() is not None for pod in cluster.ended_pods)


def test_the_outputs_of_the_first_pod_are_the_tasks(cluster, task, tmp_path, capfd):
    run(task)
    assert (tmp_path / "model" / "weights").read_text(encoding="utf-8") == "records"
    reported = json.loads((tmp_path / "output.json").read_text(encoding="utf-8"))
    assert reported["artifacts"]["model"]["artifacts"] == [{"uri": str(tmp_path / "model")}]
    assert capfd.readouterr().out == "worker 0 trains\n"
    assert_removed(cluster, tmp_path)
    service, made = cluster.created
    assert service["spec"]["clusterIP"] == "None"
    pod = made["spec"]["template"]["spec"]
    assert pod["subdomain"] == service["metadata"]["name"] == made["metadata"]["name"]
    (container,) = pod["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (1, ServerError, "ended with exit status 1. The next attempt goes on"),
        (2, UserError, "ended with exit status 2: its log says what to mend"),
    ],
)
def test_a_pod_that_fails_ends_all(cluster, task, tmp_path, capfd, status, error, words):
    cluster.program = SECOND_ENDS.format(status=status, text="no memory")
    with pytest.raises(error, match=words):
        run(task)
    said = capfd.readouterr().err
    assert "-1-abcde, which failed first" in said
    assert ("no memory" in said) == (status == 1)
    assert not (tmp_path / "model").exists()
    assert_removed(cluster, tmp_path)


def test_a_pod_that_never_starts(cluster, task, tmp_path):
    cluster.pending, cluster.program = (1,), "import time; time.sleep(60)"
    words = "Of the 2 pods.* 1 run after 1 seconds.*-1-abcde: Unschedulable: 0/3 nodes.*Expected"
    with pytest.raises(ConfigError, match=words):
        run(task, start_timeout=1)
    assert_removed(cluster, tmp_path)


def test_an_account_that_may_not(cluster, task):
    cluster.forbidden = True
    words = "may not.*Apply kubeflow/training.*--service-account tfx-distill-training"
    with pytest.raises(ConfigError, match=words):
        run(task)


@pytest.fixture
def started(task, tmp_path, monkeypatch):
    """Starts a worker; returns its exit status, and what its executor was given."""
    given = []

    def start(index):
        monkeypatch.setenv("JOB_COMPLETION_INDEX", str(index))
        return worker.main(tmp_path / "staged"), given

    monkeypatch.setenv(worker.ADDRESSES, "localhost:1,localhost:2")
    monkeypatch.setenv("TF_CONFIG", "")
    monkeypatch.setattr(executor, "run", given.append)
    job.staging.stage(task, tmp_path / "staged")
    return start


@pytest.mark.parametrize("index", [0, 1])
def test_the_first_worker_alone_writes_what_is_taken(started, tmp_path, index):
    status, (arguments,) = started(index)
    assert status == 0
    (model,) = json.loads(arguments[1])["outputs"]["artifacts"]["model"]["artifacts"]
    assert model["uri"].startswith(str(tmp_path / "staged")) == (index == 0)
    assert json.loads(os.environ["TF_CONFIG"]) == {
        "cluster": {"worker": ["localhost:1", "localhost:2"]},
        "task": {"type": "worker", "index": index},
    }


def test_a_worker_whose_input_is_wrong(started, monkeypatch, capsys):
    def refuse(arguments):
        raise ConfigError("a wrong number")

    monkeypatch.setattr(executor, "run", refuse)
    assert started(0)[0] == 2
    assert capsys.readouterr().err == "tfx-distill: a wrong number\n"
