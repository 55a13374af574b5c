"""What kubeflow/serving tells Docker and Kubernetes."""

import re
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.light

FOLDER = Path(__file__).parents[3] / "kubeflow" / "serving"


def read(name: str) -> dict:
    return yaml.safe_load((FOLDER / name).read_text())


@pytest.fixture
def pod() -> dict:
    return read("deployment.yaml")["spec"]["template"]["spec"]


@pytest.fixture
def container(pod: dict) -> dict:
    (container,) = pod["containers"]
    return container


def flags(arguments: list[str]) -> dict[str, str]:
    return dict(argument.removeprefix("--").split("=", 1) for argument in arguments)


def test_the_service_finds_the_pods_and_their_ports(container: dict) -> None:
    service, deployment = read("service.yaml")["spec"], read("deployment.yaml")["spec"]
    labels = deployment["template"]["metadata"]["labels"]
    assert service["selector"].items() <= labels.items()
    assert deployment["selector"]["matchLabels"].items() <= labels.items()
    named = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert {port["targetPort"]: port["port"] for port in service["ports"]} == named
    arguments = flags(container["args"])
    assert arguments["port"] == str(named["grpc"])
    assert arguments["rest_api_port"] == str(named["rest"])


def test_probes_ask_for_the_model_that_is_served(container: dict) -> None:
    arguments = flags(container["args"])
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        assert asked == {"path": f"/v1/models/{arguments['model_name']}", "port": "rest"}
    (mount,) = container["volumeMounts"]
    base_path = f"{mount['mountPath']}/serving/{arguments['model_name']}"
    assert arguments["model_base_path"] == base_path


def test_a_pod_can_write_nothing_and_is_nobody(pod: dict, container: dict) -> None:
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert all(mount["readOnly"] for mount in container["volumeMounts"])
    for volume in pod["volumes"]:
        assert volume["persistentVolumeClaim"]["readOnly"]
    assert {"cpu", "memory"} <= container["resources"]["requests"].keys()


def test_compose_serves_the_workdir_as_the_pod_serves_its_volume(container: dict) -> None:
    compose = yaml.safe_load(
        # As Docker reads it where nothing is set.
        re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (FOLDER / "compose.yaml").read_text())
    )
    (service,) = compose["services"].values()
    assert service["image"] == container["image"]
    assert service["entrypoint"] == container["command"]
    mine, theirs = flags(service["command"]), flags(container["args"])
    (volume,) = service["volumes"]
    assert volume["read_only"]
    assert (FOLDER / volume["source"]).resolve() == FOLDER.parents[1] / "workdir" / "serving"
    assert mine["model_base_path"] == f"{volume['target']}/{mine['model_name']}"
    assert mine.keys() == theirs.keys()
    ports = {mine["port"], mine["rest_api_port"]}
    assert {tuple(port.split(":")) for port in service["ports"]} == {
        ("127.0.0.1", port, port) for port in ports
    }
