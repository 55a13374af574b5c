"""What `kubeflow doctor` says of a cluster: a row for each line, fine or not."""

import json

import kubernetes_stub as kube
import pytest
import yaml
from kfp_messages import Refusal
from kfp_stub import serving
from kubernetes.config import kube_config
from platform_fields import EXECUTOR, mistakes

from components.run_recorder import origin
from pipeline.cluster import doctor, in_pod

IMAGE = "registry.example/tfx-distill:1"
SECRETS = "kubeflow.secret_env=[{secret: aws, env: {AWS_ACCESS_KEY_ID: id}}]"
FINE = {
    "code": origin.code(),
    "findings": [{"subject": "lock", "status": "ok", "text": "fine", "servers": False}],
}


@pytest.fixture
def cluster():
    api = kube.KubernetesApi()
    api.claims["kubeflow", "tfx-distill"] = kube.claim("ReadWriteMany")
    api.secrets["kubeflow", "aws"] = kube.secret("id", "key")
    api.secrets["kubeflow", "pull"] = kube.secret(kind="kubernetes.io/dockerconfigjson")
    api.nodes = [kube.node(), kube.node(gpus=2, pool="gpu")]
    return api


@pytest.fixture
def examined(kubeflow, server, cluster, tmp_path, monkeypatch, capsys):
    """Runs the doctor; returns the exit status and the lines by subject."""
    monkeypatch.setattr(doctor, "PAUSE", 0.01)
    server.looks = [("RUNNING", {}), ("SUCCEEDED", {})]
    server.report = FINE
    server.pod = {}
    config = tmp_path / "kubeconfig"
    monkeypatch.setattr(kube_config, "KUBE_CONFIG_DEFAULT_LOCATION", str(config))

    def started(method, path, done):
        """A pod for each run, as Argo makes it."""
        if done and method == "POST" and path.endswith("/runs"):
            run_id = list(server.runs)[-1]
            name = f"pod-{run_id}"
            cluster.pods.append(kube.pod(name, run_id, IMAGE, **server.pod))
            if server.report:
                report = f"{in_pod.MARK}{json.dumps(server.report)}"
                cluster.logs[name] = f"I1201 launcher\n{report}\nI1201 uploaded\n"

    server.trouble = started
    with serving(cluster) as address:
        config.write_text(
            yaml.safe_dump(
                {
                    "current-context": "here",
                    "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
                    "clusters": [{"name": "c", "cluster": {"server": address}}],
                    "users": [{"name": "u", "user": {}}],
                }
            ),
            encoding="utf-8",
        )

        def run(*sets, **changes):
            words = [f"kubeflow.image={IMAGE}", *sets]
            options = [word for each in words for word in ("--set", each)]
            status = kubeflow("doctor", *options, *changes.get("options", ()))
            lines = {}
            for line in capsys.readouterr().out.splitlines():
                kind, _, rest = line.partition("  ")
                if kind.strip() in ("ok", "warning", "failure"):
                    subject, _, text = rest.strip().partition(": ")
                    lines[subject] = (kind.strip(), text)
            return status, lines

        yield run


def test_a_cluster_that_lacks_nothing(examined, server):
    status, lines = examined(SECRETS, "kubeflow.image_pull_secret=pull")
    assert status == 0
    assert {key: kind for key, (kind, _) in lines.items()} == dict.fromkeys(
        (
            *("server", "version", "users", "claim tfx-distill", "secret aws"),
            *("image pull secret pull", "nvidia.com/gpu", "pod, image", "pod, lock"),
            *("pod with GPU, image", "pod with GPU, lock"),
        ),
        "ok",
    )
    plain, gpu = [list(yaml.safe_load_all(content)) for content in server.uploads.values()]
    for (spec, platform), gpus in ((plain, 0), (gpu, 1)):
        (executor,) = spec["deploymentSpec"]["executors"].values()
        container = executor["container"]
        assert container["image"] == IMAGE
        assert "pipeline.cluster.in_pod" in container["command"][-1]
        assert json.loads(container["args"][0]) == {
            "gpus": gpus,
            "variables": ["AWS_ACCESS_KEY_ID"],
        }
        assert ("accelerator" in container["resources"]) == bool(gpus)
        (pod,) = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values()
        assert not mistakes(pod, EXECUTOR)
        assert pod["pvcMount"] == [{"constant": "tfx-distill", "mountPath": "/work"}]


@pytest.mark.parametrize(
    ("release", "kind", "status", "words"),
    [
        ("2.5.0", "ok", 0, "2.5.0"),
        ("2.4.1", "failure", 2, "2.5 or later is needed"),
        ("1.8.22", "failure", 2, "2.5 or later is needed"),
        ("unknown", "warning", 0, "kubectl -n kubeflow get deployment ml-pipeline"),
    ],
)
def test_the_servers_version(examined, server, release, kind, status, words):
    server.release = release
    ended, lines = examined()
    assert (ended, lines["version"][0]) == (status, kind)
    assert words in lines["version"][1]
    if kind == "failure":
        assert lines["pod"][0] == "warning"
        assert not server.runs


def test_many_users(examined, server, cluster):
    server.multi_user = True
    cluster.claims["ann", "tfx-distill"] = kube.claim("ReadWriteMany")
    status, lines = examined("kubeflow.gpu.count=0", options=("--namespace", "ann"))
    assert status == 0
    assert "'ann'" in lines["users"][1]


@pytest.mark.parametrize(
    ("status", "ended", "words"), [(500, 1, "kubectl logs"), (401, 2, "KF_PIPELINES_TOKEN")]
)
def test_a_server_that_answers_nothing_of_use(examined, server, status, ended, words):
    def trouble(method, path, done):
        raise Refusal(status, {"message": "no"})

    server.trouble = trouble
    found, lines = examined()
    assert found == ended
    assert lines["server"][0] == "failure"
    assert words in lines["server"][1]
    assert lines["claim tfx-distill"][0] == "ok"


def gone(cluster):
    cluster.claims.clear()
    cluster.secrets.clear()


def of_one_node(cluster):
    cluster.claims["kubeflow", "tfx-distill"] = kube.claim("ReadWriteOnce")


def lost(cluster):
    cluster.claims["kubeflow", "tfx-distill"] = kube.claim("ReadWriteMany", phase="Lost")


def pending(cluster):
    cluster.claims["kubeflow", "tfx-distill"] = kube.claim("ReadWriteMany", phase="Pending")


def other_keys(cluster):
    cluster.secrets["kubeflow", "aws"] = kube.secret("key")


def other_type(cluster):
    cluster.secrets["kubeflow", "pull"] = kube.secret("x")


def no_gpus(cluster):
    cluster.nodes = [kube.node()]


def forbidden(cluster):
    cluster.refused = 403


@pytest.mark.parametrize(
    ("change", "subject", "kind", "words"),
    [
        (gone, "claim tfx-distill", "failure", "kubectl -n kubeflow apply -k kubeflow/volume"),
        (of_one_node, "claim tfx-distill", "failure", "ReadWriteOnce, expected ReadWriteMany"),
        (lost, "claim tfx-distill", "failure", "make the claim again"),
        (pending, "claim tfx-distill", "warning", "describe pvc tfx-distill"),
        (gone, "secret aws", "failure", "create secret generic aws"),
        (other_keys, "secret aws", "failure", "no key id"),
        (gone, "image pull secret pull", "failure", "create secret docker-registry pull"),
        (other_type, "image pull secret pull", "failure", "type is Opaque"),
        (no_gpus, "nvidia.com/gpu", "warning", "device plugin"),
        (forbidden, "claim tfx-distill", "warning", "403 Forbidden. Ask it by: kubectl"),
        (forbidden, "secret aws", "warning", "describe secret aws"),
        (forbidden, "nvidia.com/gpu", "warning", "describe nodes"),
    ],
)
def test_what_kubernetes_says(examined, cluster, change, subject, kind, words):
    change(cluster)
    status, lines = examined(SECRETS, "kubeflow.image_pull_secret=pull")
    assert lines[subject][0] == kind
    assert words in lines[subject][1]
    assert status == (2 if kind == "failure" else 0)


def test_nodes_that_the_selector_leaves_out(examined):
    _, lines = examined("kubeflow.node_selector={pool: a100}")
    assert lines["nvidia.com/gpu"][0] == "warning"


def test_without_kubectls_configuration(examined, tmp_path):
    (tmp_path / "kubeconfig").unlink()
    status, lines = examined("kubeflow.gpu.count=0")
    assert status == 0
    kind, text = lines["claim tfx-distill"]
    assert kind == "warning"
    assert "kubectl -n kubeflow get pvc tfx-distill" in text
    # The state of the run says that its checks held.
    assert lines["pod"][0] == "ok"


@pytest.mark.parametrize(
    ("pod", "words"),
    [
        ({"waiting": ("ImagePullBackOff", "not found")}, "ImagePullBackOff: not found"),
        ({"waiting": ("CreateContainerConfigError", 'secret "x"')}, 'secret "x"'),
        ({"unschedulable": "0/2 nodes: Insufficient nvidia.com/gpu"}, "Insufficient nvidia"),
    ],
)
def test_a_pod_that_does_not_start(examined, server, monkeypatch, pod, words):
    monkeypatch.setattr(doctor, "LIMIT", 0.05)
    server.looks, server.report, server.pod = [("RUNNING", {})], None, pod
    status, lines = examined("kubeflow.gpu.count=0")
    assert status == 2
    assert words in lines["pod"][1]
    assert any(path.endswith(":terminate") for path in server.changes())


def test_an_image_of_another_commit(examined, server):
    server.report = {**FINE, "code": {"revision": "1a2b3c4", "fingerprint": "x"}}
    status, lines = examined("kubeflow.gpu.count=0")
    assert status == 0
    assert lines["pod, image"][0] == "warning"
    assert "1a2b3c4" in lines["pod, image"][1]


def test_kubectl_speaks_to_another_cluster(examined, server):
    server.trouble = lambda method, path, done: None  # no pod appears
    status, lines = examined("kubeflow.gpu.count=0")
    assert status == 0
    assert lines["pod"][0] == "warning"
    assert "another cluster or namespace" in lines["pod"][1]


def test_what_fails_in_the_pod(examined, server):
    bad = {"subject": "lock", "status": "failure", "text": "none", "servers": False}
    server.report = {**FINE, "findings": [bad]}
    server.looks = [("FAILED", {})]
    status, lines = examined("kubeflow.gpu.count=0")
    assert status == 2
    assert lines["pod, lock"] == ("failure", "none")


def test_a_pod_that_reports_nothing(examined, server, cluster):
    server.report = None
    cluster.logs = dict.fromkeys((f"pod-id-{number}" for number in range(9)), "No module named x")
    server.looks = [("FAILED", {})]
    status, lines = examined("kubeflow.gpu.count=0")
    assert status == 2
    assert "older than this checkout" in lines["pod"][1]


def test_who_stops_it_ends_the_run(examined, server, monkeypatch):
    def stop(seconds):
        raise SystemExit

    monkeypatch.setattr(doctor.time, "sleep", stop)
    server.looks = [("RUNNING", {})]
    with pytest.raises(SystemExit):
        examined("kubeflow.gpu.count=0")
    assert any(path.endswith(":terminate") for path in server.changes())
