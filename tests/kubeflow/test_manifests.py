"""What Kubernetes is told: held against its schemas, and put together by kubectl."""

import re
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from pipeline.cluster.plan import WORKDIR
from pipeline.cluster.settings import KubeflowConfig

pytestmark = pytest.mark.light

FOLDER = Path(__file__).parents[2] / "kubeflow"
KUSTOMIZATIONS = [path.parent for path in FOLDER.glob("*/kustomization.yaml")]
MANIFESTS = [
    path
    for folder in KUSTOMIZATIONS
    for path in folder.glob("*.yaml")
    if path.name not in ("kustomization.yaml", "compose.yaml")
]
KUBERNETES = "1.32"
KUBECTL = Path(sys.executable).with_name("kubectl")


def read(path: Path) -> dict:
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_a_manifest_is_what_kubernetes_takes(path):
    manifest = read(path)
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    manifest["spec"]["selectors"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda folder: folder.name)
def test_kubectl_puts_every_manifest_of_a_folder_together(folder):
    built = subprocess.run(
        [KUBECTL, "kustomize", folder], check=True, capture_output=True, text=True
    )
    together = {each["kind"]: each for each in yaml.safe_load_all(built.stdout)}
    alone = [read(path) for path in MANIFESTS if path.parent == folder]
    assert together == {each["kind"]: each for each in alone}
    assert len(together) == len(alone)


def test_the_volume_is_the_one_that_tasks_and_server_mount():
    claim = read(FOLDER / "volume" / "claim.yaml")
    assert claim["metadata"]["name"] == KubeflowConfig().volume_claim
    assert "ReadWriteMany" in claim["spec"]["accessModes"]
    deployment = read(FOLDER / "serving" / "deployment.yaml")["spec"]["template"]
    for pod in (read(FOLDER / "volume" / "loader.yaml"), deployment):
        (volume,), (container,) = pod["spec"]["volumes"], pod["spec"]["containers"]
        assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        assert [mount["mountPath"] for mount in container["volumeMounts"]] == [str(WORKDIR)]


def test_the_volume_is_given_to_the_images_user():
    (container,) = read(FOLDER / "volume" / "loader.yaml")["spec"]["containers"]
    (user,) = re.findall(r"^USER (\S+)$", (FOLDER / "Dockerfile").read_text(), re.MULTILINE)
    (script,) = container["args"]
    (chown,) = re.findall(r"^chown (\S+) (.*)$", script, re.MULTILINE)
    assert chown[0] == user
    assert str(WORKDIR) in chown[1].split()
