"""What kubeflow/serving tells KServe and Prometheus Operator."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from google.protobuf import text_format
from serving_configs import parse
from tensorflow_serving.config import model_server_config_pb2

pytestmark = pytest.mark.light

SERVING = Path(__file__).parents[3] / "kubeflow" / "serving"
KUBECTL = Path(sys.executable).with_name("kubectl")
README = (SERVING / "README.md").read_text(encoding="utf-8")


def read(name: str) -> dict:
    return yaml.safe_load((SERVING / name).read_text(encoding="utf-8"))


@pytest.fixture
def service() -> dict:
    return read("kserve/inference-service.yaml")


@pytest.fixture
def runtime() -> dict:
    return read("kserve/serving-runtime.yaml")


@pytest.fixture
def container(runtime: dict) -> dict:
    (container,) = runtime["spec"]["containers"]
    return container


def test_the_service_has_our_runtime_and_the_pipelines_volume(service, runtime) -> None:
    model = service["spec"]["predictor"]["model"]
    assert model["runtime"] == runtime["metadata"]["name"]
    assert model["modelFormat"]["name"] in [
        each["name"] for each in runtime["spec"]["supportedModelFormats"]
    ]
    claim = read("../volume/claim.yaml")["metadata"]["name"]
    assert model["storageUri"] == f"pvc://{claim}/serving"
    # Or a cluster's other default would send everything to a canary, whatever its percentage.
    mode = service["metadata"]["annotations"]["serving.kserve.io/deploymentMode"]
    assert mode == "Serverless"


def test_the_container_is_the_deployments(container) -> None:
    pod = read("deployment.yaml")["spec"]["template"]["spec"]
    (other,) = pod["containers"]
    assert container["image"] == other["image"]
    assert container["resources"] == other["resources"]
    # Knative takes these of a container alone.
    expected = {**pod["securityContext"], **other["securityContext"]}
    assert container["securityContext"] == expected
    limit = container["resources"]["limits"]["cpu"]
    for kind in ("intra", "inter"):
        assert f"--tensorflow_{kind}_op_parallelism={limit}" in container["args"][0]


def started(container: dict, name: str, folder: Path, **env: str) -> subprocess.CompletedProcess:
    """Runs the container's command as far as the server, with KServe's template filled in.

    kserve/pkg/controller/v1beta1/inferenceservice/utils/utils.go:325-338
    """
    (script,) = container["args"]
    for there, here in [
        ("{{.Name}}", name),
        ("/tmp/", f"{folder}/"),
        ("/usr/bin/tensorflow_model_server", "echo"),
    ]:
        assert there in script
        script = script.replace(there, here)
    assert "{{" not in script
    return subprocess.run(
        [*container["command"], script], env=env, capture_output=True, text=True, encoding="utf-8"
    )


def test_the_server_is_given_one_version_of_the_model(service, runtime, container, tmp_path):
    name = service["metadata"]["name"]
    done = started(container, name, tmp_path, MODEL_VERSION="1764560000")
    assert done.returncode == 0, done.stderr
    options = dict(option.removeprefix("--").split("=") for option in done.stdout.split())
    config = text_format.Parse(
        Path(options["model_config_file"]).read_text(encoding="utf-8"),
        model_server_config_pb2.ModelServerConfig(),
    )
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == (name, f"/mnt/models/{name}")
    assert list(model.model_version_policy.specific.versions) == [1764560000]
    prometheus = parse(
        "MonitoringConfig", Path(options["monitoring_config_file"]).read_text(encoding="utf-8")
    )
    assert prometheus.prometheus_config.enable
    annotations = runtime["spec"]["annotations"]
    assert prometheus.prometheus_config.path == annotations["prometheus.kserve.io/path"]
    assert options["rest_api_port"] == annotations["prometheus.kserve.io/port"]
    # Knative's, where a container names no port of its own.
    assert options["rest_api_port"] == "8080"


def test_without_a_version_the_server_says_what_is_missing(service, container, tmp_path) -> None:
    (given,) = service["spec"]["predictor"]["model"]["env"]
    assert given == {"name": "MODEL_VERSION", "value": ""}
    done = started(container, "cifar100", tmp_path, MODEL_VERSION=given["value"])
    assert done.returncode != 0
    assert "MODEL_VERSION: give the InferenceService a version" in done.stderr


def test_the_models_name_is_one_line() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (SERVING / "kserve").glob("*.yaml")]
    assert sum(text.count("cifar100") for text in texts) == 1


def test_the_readmes_patches_are_a_canary_its_promotion_and_the_way_back(service) -> None:
    patches = re.findall(r"patch inferenceservice (\w+) --type merge --patch '(.*)'", README)
    before, after = service["spec"]["predictor"], []
    for name, patch in patches:
        assert name == service["metadata"]["name"]
        file = SERVING / "kserve" / "inference-service.yaml"
        command = [KUBECTL, "patch", "--local", "-f", file, "--type", "merge", "--output", "yaml"]
        done = subprocess.run([*command, "--patch", patch], check=True, capture_output=True)
        after.append(yaml.safe_load(done.stdout)["spec"]["predictor"])
    canary, promoted, back = after
    assert 0 < canary.pop("canaryTrafficPercent") < 100
    (env,) = canary["model"].pop("env")
    assert env["name"] == before["model"]["env"][0]["name"]
    assert env["value"].isdecimal()
    assert promoted == {**before, "canaryTrafficPercent": 100}
    assert back == {**before, "canaryTrafficPercent": 0}
    del before["model"]["env"]
    assert canary == before


@pytest.mark.parametrize("file", [SERVING / "README.md", SERVING.parent / "README.md"])
def test_what_the_readmes_apply_is_there(file: Path) -> None:
    applied = re.findall(r"apply -[kf] ([\w./-]*\w)", file.read_text(encoding="utf-8"))
    assert applied
    for path in applied:
        assert (SERVING.parents[1] / path).exists(), path


# A release of each, and where its module has the schemas.
SCHEMAS = {
    "InferenceService": (
        "github.com/kserve/kserve@v0.16.0",
        "config/crd/full/serving.kserve.io_inferenceservices.yaml",
    ),
    "ServingRuntime": (
        "github.com/kserve/kserve@v0.16.0",
        "config/crd/full/serving.kserve.io_servingruntimes.yaml",
    ),
    "ServiceMonitor": (
        "github.com/prometheus-operator/prometheus-operator@v0.93.1",
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
    ),
}


def strict(schema: Any) -> Any:
    """Refuses what a cluster would drop without a word."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items()}
    if "properties" in schema and not schema.get("x-kubernetes-preserve-unknown-fields"):
        closed.setdefault("additionalProperties", False)
    return closed


def schema_of(document: dict) -> dict:
    module, path = SCHEMAS[document["kind"]]
    if shutil.which("go") is None:
        pytest.skip("Go is not there to download the schemas with")
    done = subprocess.run(["go", "mod", "download", "-json", module], capture_output=True)
    answer = json.loads(done.stdout)
    if "Error" in answer:
        pytest.skip(f"Go cannot download {module}: {answer['Error']}")
    definition = yaml.load(Path(answer["Dir"], path).read_text(encoding="utf-8"), yaml.CSafeLoader)[
        "spec"
    ]
    assert definition["names"]["kind"] == document["kind"]
    group, version = document["apiVersion"].split("/")
    assert definition["group"] == group
    (schema,) = (
        each["schema"]["openAPIV3Schema"]
        for each in definition["versions"]
        if each["name"] == version
    )
    return strict({**schema, "properties": {**schema["properties"], "metadata": {}}})


@pytest.mark.slow
@pytest.mark.parametrize(
    "file",
    [
        "kserve/inference-service.yaml",
        "kserve/serving-runtime.yaml",
        "monitoring/service-monitor.yaml",
    ],
)
def test_a_manifest_is_what_its_operator_takes(file: str) -> None:
    document = read(file)
    validator = jsonschema.Draft202012Validator(schema_of(document))
    validator.validate(document)
    document["spec"]["unknown"] = 1
    with pytest.raises(jsonschema.ValidationError, match="unknown"):
        validator.validate(document)
