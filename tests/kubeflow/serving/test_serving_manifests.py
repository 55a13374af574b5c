"""What kubeflow/serving tells Docker and Kubernetes."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from serving_configs import parse

pytestmark = pytest.mark.light

FOLDER = Path(__file__).parents[3] / "kubeflow" / "serving"
KUBECTL = Path(sys.executable).with_name("kubectl")
APP = {"app.kubernetes.io/name": "tfx-distill-serving"}


def read(name: str) -> dict:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def built(folder: Path) -> dict[str, dict]:
    """What kubectl makes of a folder, by kind."""
    done = subprocess.run([KUBECTL, "kustomize", folder], check=True, capture_output=True)
    return {each["kind"]: each for each in yaml.safe_load_all(done.stdout)}


@pytest.fixture
def pod() -> dict:
    return read("deployment.yaml")["spec"]["template"]["spec"]


@pytest.fixture
def container(pod: dict) -> dict:
    (container,) = pod["containers"]
    return container


def flags(container: dict) -> dict[str, str]:
    """The arguments, with what Kubernetes puts in for $(NAME)."""
    values = {each["name"]: each["value"] for each in container.get("env", [])}
    arguments = container.get("args") or container["command"]
    return {
        key: re.sub(r"\$\((\w+)\)", lambda name: values[name[1]], value)
        for key, value in (argument.removeprefix("--").split("=", 1) for argument in arguments)
    }


def test_the_service_finds_the_pods_and_their_ports(container: dict) -> None:
    service, deployment = read("service.yaml")["spec"], read("deployment.yaml")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert service["selector"].items() <= labels.items()
    assert deployment["selector"]["matchLabels"].items() <= labels.items()
    named = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert {port["targetPort"]: port["port"] for port in service["ports"]} == named
    assert flags(container)["port"] == str(named["grpc"])
    assert flags(container)["rest_api_port"] == str(named["rest"])


@pytest.mark.parametrize("name", ["cifar100", "mine"])
def test_the_models_name_is_one_line(name: str, tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "deployment.yaml"
    text = file.read_text(encoding="utf-8")
    assert text.count("cifar100") == 1
    file.write_text(text.replace("cifar100", name), encoding="utf-8")
    documents = built(tmp_path)
    pod = documents["Deployment"]["spec"]["template"]["spec"]
    (container,), mount = pod["containers"], pod["containers"][0]["volumeMounts"][0]
    assert flags(container)["model_name"] == name
    assert flags(container)["model_base_path"] == f"{mount['mountPath']}/serving/{name}"
    assert name in yaml.dump(documents.pop("Deployment"))
    assert name not in yaml.dump(documents)


def test_probes_ask_the_health_service_which_the_server_starts(container: dict) -> None:
    assert flags(container)["enable_grpc_healthcheck_service"] == "true"
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["grpc"] == {"port": int(flags(container)["port"])}


def test_a_pod_can_write_nothing_and_is_nobody(pod: dict, container: dict) -> None:
    # What Pod Security's level "restricted" asks for, and a root file system that is read-only.
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert all(mount["readOnly"] for mount in container["volumeMounts"])
    claim, config = pod["volumes"]
    assert claim["persistentVolumeClaim"]["readOnly"]
    assert config["configMap"]


def test_a_pod_asks_nobody_and_is_asked_at_its_ports_alone(container: dict) -> None:
    policy = read("network-policy.yaml")["spec"]
    assert policy["podSelector"]["matchLabels"] == APP
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert "egress" not in policy
    (rule,) = policy["ingress"]
    assert {each["port"] for each in rule["ports"]} == {p["name"] for p in container["ports"]}
    assert all(each == {"podSelector": {}} or "namespaceSelector" in each for each in rule["from"])
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    ((key, value),) = rule["from"][1]["namespaceSelector"]["matchLabels"].items()
    assert f"kubectl label namespace NAMESPACE {key}={value}" in readme
    # Or Istio's proxy would be in the pod, which the policy keeps from its control plane.
    labels = read("deployment.yaml")["spec"]["template"]["metadata"]["labels"]
    assert labels["sidecar.istio.io/inject"] == "false"


def test_threads_are_those_of_the_cpu_limit(container: dict) -> None:
    limit = container["resources"]["limits"]["cpu"]
    for kind in ("intra", "inter"):
        assert flags(container)[f"tensorflow_{kind}_op_parallelism"] == limit
    (batching,) = FOLDER.glob("batching/*.config")
    assert parse(
        "BatchingParameters", batching.read_text(encoding="utf-8")
    ).num_batch_threads.value == int(limit)


def test_as_many_pods_as_the_load_wants_and_one_is_always_left() -> None:
    deployment = read("deployment.yaml")
    autoscaler = read("autoscaler.yaml")["spec"]
    assert "replicas" not in deployment["spec"]  # each `apply` would set it back
    target = autoscaler["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", deployment["metadata"]["name"])
    budget = read("disruption-budget.yaml")["spec"]
    assert budget["selector"]["matchLabels"] == APP
    assert 1 <= budget["maxUnavailable"] < autoscaler["minReplicas"] < autoscaler["maxReplicas"]
    (metric,) = autoscaler["metrics"]
    used = metric["resource"]["target"]["averageValue"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert int(used.removesuffix("m")) < 1000 * int(container["resources"]["limits"]["cpu"])


def test_metrics_are_where_prometheus_looks(container: dict) -> None:
    config = built(FOLDER)["ConfigMap"]["data"]
    folder, file = flags(container)["monitoring_config_file"].rsplit("/", 1)
    assert folder in [mount["mountPath"] for mount in container["volumeMounts"]]
    assert list(config) == [file]
    prometheus = parse("MonitoringConfig", config[file]).prometheus_config
    assert prometheus.enable
    monitor = built(FOLDER / "monitoring")["ServiceMonitor"]["spec"]
    (endpoint,) = monitor["endpoints"]
    assert endpoint == {"port": "rest", "path": prometheus.path}
    service = read("service.yaml")
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]


def test_batching_is_one_word_in_the_kustomization(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "kustomization.yaml"
    line = "components: []"
    assert line in file.read_text(encoding="utf-8")
    file.write_text(
        file.read_text(encoding="utf-8").replace(line, "components: [batching]"), encoding="utf-8"
    )
    without, documents = built(FOLDER), built(tmp_path)
    for document in documents.values():
        kubernetes_validate.validate(document, "1.32", strict=True)
    config = documents["ConfigMap"]
    pod = documents["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["volumes"][1]["configMap"]["name"] == config["metadata"]["name"]
    assert config["metadata"]["name"] != without["ConfigMap"]["metadata"]["name"]
    (before,) = without["Deployment"]["spec"]["template"]["spec"]["containers"]
    added = flags(container).items() - flags(before).items()
    path = f"{container['volumeMounts'][1]['mountPath']}/batching.config"
    assert dict(added) == {"enable_batching": "true", "batching_parameters_file": path}
    assert set(config["data"]) == {"monitoring.config", "batching.config"}
    batching = parse("BatchingParameters", config["data"]["batching.config"])
    assert batching.max_execution_batch_size.value <= batching.max_batch_size.value
    # Nobody waits for others.
    assert batching.HasField("batch_timeout_micros")
    assert not batching.batch_timeout_micros.value


def test_compose_serves_the_workdir_as_the_pod_serves_its_volume(container: dict) -> None:
    compose = yaml.safe_load(
        # As Docker reads it where nothing is set.
        re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (FOLDER / "compose.yaml").read_text(encoding="utf-8"))
    )
    (service,) = compose["services"].values()
    assert service["image"] == container["image"]
    assert service["entrypoint"] == container["command"]
    mine, theirs = flags(service), flags(container)
    (volume,) = service["volumes"]
    assert volume["read_only"]
    assert (FOLDER / volume["source"]).resolve() == FOLDER.parents[1] / "workdir" / "serving"
    assert mine["model_base_path"] == f"{volume['target']}/{mine['model_name']}"
    assert mine.keys() == {"port", "rest_api_port", "model_name", "model_base_path"}
    assert mine.keys() <= theirs.keys()
    ports = {mine["port"], mine["rest_api_port"]}
    assert {tuple(port.split(":")) for port in service["ports"]} == {
        ("127.0.0.1", port, port) for port in ports
    }
