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
from pipeline.cluster import plan, spec

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
def workflow(commands, folder):
    """The quick pipeline as Argo's workflow, by Kubeflow's compiler."""
    image = os.environ["TFX_DISTILL_IMAGE"]
    settings = overrides(SMALL, kubeflow__image=image, kubeflow__gpu__count=0)
    document = spec.document(plan.make(config.load("quick", settings), ["tfx-distill"]))
    pipeline, platform = yaml.safe_load_all(document)
    job, kubernetes = folder / "job.json", folder / "platform.json"
    job.write_text(json.dumps({"pipelineSpec": pipeline}))
    kubernetes.write_text(json.dumps(platform["platforms"]["kubernetes"]))
    options = ["-job", job, "-platform", kubernetes, "-image", image]
    compiled = subprocess.run([commands / "workflow", *options], check=True, capture_output=True)
    return yaml.safe_load(compiled.stdout)


@pytest.fixture(scope="module")
def done(workflow, commands, folder):
    """Runs the workflow; returns the volume, the metadata store's file, what tasks were given."""
    volume, account, scratch = (folder / name for name in ("volume", "account", "pods"))
    for made in (volume, account, scratch):
        made.mkdir()
    os.chown(volume, engines.USER, 0)
    with ExitStack() as stack:
        store = stack.enter_context(
            object_store.serving(os.environ["UV"], HOST, OBJECTS, folder / "moto.log")
        )
        metadata = folder / "metadata.sqlite"
        stack.enter_context(metadata_server.serving(f"{HOST}:{METADATA[1]}", metadata))
        objects = objects_of_a_cluster(store.address)
        port = stack.enter_context(kubernetes_api.serving(HOST, objects, account))
        node = Node(
            binaries=commands,
            claims={"tfx-distill": volume},
            account=account,
            api=(HOST, port),
            hosts={METADATA[0]: HOST},
            scratch=scratch,
        )
        given = {}

        def run_pod(name, template, paths):
            if patch := template.get("podSpecPatch"):
                task = name.split(".")[2]
                given[task] = recordings.executor_input(
                    json.loads(patch)["containers"][0]["command"]
                )
            return node.run(name, template, paths)

        argo.run(workflow, run_pod)
    return volume, metadata, given


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


def test_a_student_is_pushed(done):
    volume, *_ = done
    [version] = (volume / "serving" / "quick").glob("[0-9]*")
    assert (version / "saved_model.pb").is_file()


def test_every_execution_is_complete(done, workflow):
    _, metadata, _ = done
    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(metadata)
    executions = metadata_store.MetadataStore(connection).get_executions()
    [root] = (t for t in workflow["spec"]["templates"] if t["name"] == "root")
    tasks = {t["name"].removesuffix("-driver") for t in root["dag"]["tasks"]}
    states = {
        execution.custom_properties["task_name"].string_value: execution.last_known_state
        for execution in executions
    }
    complete = metadata_store_pb2.Execution.COMPLETE
    assert {task: states.get(task) for task in tasks} == dict.fromkeys(tasks, complete)


def test_tasks_are_given_what_is_recorded(done, request):
    *_, given = done
    made = recordings.Recording(RELEASE, given)
    file = recordings.FOLDER / f"{RELEASE}.json"
    if request.config.option.record:
        made.write(file)
    assert made.shapes == recordings.read(file).shapes
