"""The compiled pipeline by Kubeflow's own commands: `make kubeflow-backend-test`."""

import base64
import json
import os
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest
import recordings
import yaml
from backend import argo, kubernetes_api, metadata_server, object_store
from backend.pods import Node
from local_kubeflow import engines
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2
from small_runs import SMALL, overrides

from pipeline import config
from pipeline.cluster import doctor, in_pod, plan, rollback, spec
from pipeline.cluster.settings import KubeflowConfig

pytestmark = [pytest.mark.containers]

RELEASE = "2.17.0"  # of go.mod
# Of loopback, so that the metadata store can have the port that Kubeflow's compiler gives it.
HOST = "127.0.0.2"
METADATA = "metadata-grpc-service.kubeflow.svc.cluster.local", 8080
OBJECTS = 9000
SECRET = "mlpipeline-minio-artifact"


@pytest.fixture(scope="module")
def commands():
    if "TFX_DISTILL_BACKEND" not in os.environ:
        pytest.skip("make kubeflow-backend-test builds Kubeflow's commands, which takes Go")
    return Path(os.environ["TFX_DISTILL_BACKEND"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("backend")


@pytest.fixture(scope="module")
def document():
    """The quick pipeline, compiled."""
    image = os.environ["TFX_DISTILL_IMAGE"]
    settings = overrides(SMALL, kubeflow__image=image, kubeflow__gpu__count=0)
    return spec.document(plan.make(config.load("quick", settings), ["tfx-distill"]))


@pytest.fixture(scope="module")
def cluster(commands, folder):
    """Where pods run, with all that they ask."""
    volume, account, scratch = (folder / name for name in ("volume", "account", "pods"))
    for made in (volume, account, scratch):
        made.mkdir()
    # As volume/loader.yaml leaves it.
    os.chown(volume, engines.USER, 0)
    volume.chmod(0o2775)
    with ExitStack() as stack:
        store = stack.enter_context(
            object_store.serving(os.environ["UV"], HOST, OBJECTS, folder / "moto.log")
        )
        stack.enter_context(
            metadata_server.serving(f"{HOST}:{METADATA[1]}", folder / "metadata.sqlite")
        )
        objects = objects_of_a_cluster(store.address)
        port = stack.enter_context(kubernetes_api.serving(HOST, objects, account))
        yield Node(
            binaries=commands,
            claims={"tfx-distill": volume},
            account=account,
            api=(HOST, port),
            hosts={METADATA[0]: HOST},
            scratch=scratch,
        )


def run(document, node, parameters=()):
    """Runs a pipeline; returns what its tasks were given."""
    pipeline, platform = yaml.safe_load_all(document)
    folder = node.scratch / pipeline["pipelineInfo"]["name"]
    folder.mkdir()
    job, kubernetes = folder / "job.json", folder / "platform.json"
    runtime = {"parameterValues": dict(parameters)}
    job.write_text(
        json.dumps({"pipelineSpec": pipeline, "runtimeConfig": runtime}), encoding="utf-8"
    )
    kubernetes.write_text(json.dumps(platform["platforms"]["kubernetes"]), encoding="utf-8")
    options = ["-job", job, "-platform", kubernetes, "-image", os.environ["TFX_DISTILL_IMAGE"]]
    command = [node.binaries / "workflow", *options]
    compiled = subprocess.run(command, check=True, capture_output=True)
    given = {}

    def run_pod(name, template, paths):
        if patch := template.get("podSpecPatch"):
            (container,) = json.loads(patch)["containers"]
            given[name.split(".")[2]] = recordings.executor_input(container["command"])
        return node.run(name, template, paths)

    argo.run(yaml.safe_load(compiled.stdout), run_pod)
    return given


@pytest.fixture(scope="module")
def given(document, cluster):
    """Runs the quick pipeline; returns what its tasks were given."""
    return run(document, cluster)


@pytest.fixture(scope="module")
def pushed(given, cluster):
    (version,) = (cluster.claims["tfx-distill"] / "serving" / "quick").glob("[0-9]*")
    return version


def objects_of_a_cluster(address):
    """What the API server is asked for: where the artifacts are, and by whose leave."""
    keys = {"accessKeyKey": "accesskey", "secretKeyKey": "secretkey"}
    credentials = {"fromEnv": False, "secretRef": {"secretName": SECRET, **keys}}
    default = {"endpoint": address, "region": "us-east-1", "disableSSL": True}
    default |= {"forcePathStyle": True, "credentials": credentials}
    path = f"/api/v1/namespaces/{kubernetes_api.NAMESPACE}"
    data = {key: base64.b64encode(b"minio").decode() for key in keys.values()}
    return {
        f"{path}/configmaps/kfp-launcher": {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "kfp-launcher"},
            "data": {"providers": yaml.safe_dump({"minio": {"default": default}})},
        },
        f"{path}/secrets/{SECRET}": {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": SECRET},
            "data": data,
        },
    }


def test_a_student_is_pushed(pushed):
    assert (pushed / "saved_model.pb").is_file()


def test_every_execution_is_complete(given, folder):
    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(folder / "metadata.sqlite")
    states = {
        execution.custom_properties["task_name"].string_value: execution.last_known_state
        for execution in metadata_store.MetadataStore(connection).get_executions()
    }
    complete = metadata_store_pb2.Execution.COMPLETE
    assert {task: states.get(task) for task in given} == dict.fromkeys(given, complete)


def test_tasks_are_given_what_is_recorded(given, document, request):
    pipeline, _ = yaml.safe_load_all(document)
    assert set(given) == set(pipeline["root"]["dag"]["tasks"])
    made = recordings.Recording(RELEASE, given)
    file = recordings.FOLDER / f"{RELEASE}.json"
    if request.config.option.record:
        made.write(file)
    assert made.shapes == recordings.read(file).shapes


def log(cluster, task):
    (file,) = cluster.scratch.glob(f"*.{task}.executor/main.log")
    return file.read_text(encoding="utf-8")


def test_the_doctor_looks_at_its_pod(cluster):
    settings = KubeflowConfig(image=os.environ["TFX_DISTILL_IMAGE"])
    run(doctor.document(settings, gpus=0), cluster)
    report = in_pod.read(log(cluster, "doctor"))
    assert [finding["status"] for finding in report["findings"]] == ["ok"] * 3


def test_a_rollback_withdraws_the_version(pushed, document, cluster):
    pipeline, platform = yaml.safe_load_all(document)
    stored = {"pipeline_spec": pipeline, "platform_spec": platform}
    reason = "a 'test' of \"words\""
    run(rollback.document("quick", stored, last=True), cluster, {"reason": reason})
    assert not pushed.exists()
    record = json.loads(
        (pushed.parent / ".withdrawn" / f"{pushed.name}.json").read_text(encoding="utf-8")
    )
    assert record["reason"] == reason
