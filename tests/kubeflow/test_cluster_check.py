"""What `make cluster-check` collects of a cluster."""

import cluster_check
import pytest
import recordings
from backend import kubernetes_api
from kubernetes import client

RUN = "5f0e1d52-3f3c-4c1c-8a55-0f6f0d1f0001"
PODS = f"/api/v1/namespaces/{kubernetes_api.NAMESPACE}/pods"


def pod(number, node, command):
    """A pod as Kubernetes's API gives it; of what is required, the least."""
    return {
        "metadata": {
            "name": f"quick-{number}",
            "creationTimestamp": f"2026-12-01T02:00:{number:02}Z",
            "annotations": {"workflows.argoproj.io/node-name": node},
        },
        "spec": {
            "containers": [{"name": "wait"}, {"name": "main", "command": command}],
        },
        "status": {"phase": "Failed" if number == 1 else "Succeeded"},
    }


@pytest.fixture
def api(tmp_path):
    launcher = ["/kfp-launcher/launch", "--executor_input"]
    pods = [
        pod(2, "quick-x.root.trainer-teacher.executor(1)", [*launcher, '{"attempt": 2}', "--"]),
        pod(1, "quick-x.root.trainer-teacher.executor(0)", [*launcher, '{"attempt": 1}', "--"]),
        pod(3, "quick-x.root.trainer-teacher-driver", ["driver"]),
        pod(4, "quick-x.root.data-probe.executor", [*launcher, '{"attempt": 1}', "--"]),
    ]
    objects = {
        f"{PODS}?labelSelector=pipeline%2Frunid%3D{RUN}": {"kind": "PodList", "items": pods},
        **{f"{PODS}/quick-{number}/log?container=main": f"log {number}" for number in range(5)},
    }
    with kubernetes_api.serving("127.0.0.1", objects, tmp_path) as port:
        configuration = client.Configuration()
        configuration.host = f"https://127.0.0.1:{port}"
        configuration.ssl_ca_cert = str(tmp_path / "ca.crt")
        configuration.api_key = {"authorization": (tmp_path / "token").read_text(encoding="utf-8")}
        configuration.api_key_prefix = {"authorization": "Bearer"}
        with client.ApiClient(configuration) as connection:
            yield client.CoreV1Api(connection)


def test_the_last_attempt_of_each_task_is_kept(api, tmp_path):
    found = cluster_check.collect(api, kubernetes_api.NAMESPACE, RUN, "2.14.0")
    tasks = {"trainer-teacher": {"attempt": 2}, "data-probe": {"attempt": 1}}
    assert found.executor_inputs == tasks
    assert found.phases == dict.fromkeys(tasks, "Succeeded")
    assert found.logs == {"trainer-teacher": "log 2", "data-probe": "log 4"}
    file = tmp_path / "cluster.json"
    found.write(file)
    assert recordings.read(file) == found
