"""What Kubernetes is told: held against its schemas, and put together by kubectl."""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from pipeline.cluster.local_paths import WORKDIR
from pipeline.cluster.settings import KubeflowConfig

pytestmark = pytest.mark.light

FOLDER = Path(__file__).parents[2] / "kubeflow"
# Folders of kinds that Kubernetes brings; of the others, tests/kubeflow/serving.
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
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_a_manifest_is_what_kubernetes_takes(path):
    manifest = read(path)
    kubernetes_validate.validate(manifest, KUBERNETES, strict=True)
    manifest.get("spec", manifest)["selectors"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda folder: folder.name)
def test_kubectl_puts_every_manifest_of_a_folder_together(folder):
    built = subprocess.run(
        [KUBECTL, "kustomize", folder],
        check=True,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    together = {each["kind"]: each for each in yaml.safe_load_all(built.stdout)}
    for each in together.values():
        kubernetes_validate.validate(each, KUBERNETES, strict=True)
    # Its name ends with a hash of what is in it, so that a change of it replaces the pods.
    if generated := together.pop("ConfigMap", None):
        name = generated["metadata"]["name"]
        (volume,) = (
            volume["configMap"]
            for volume in together["Deployment"]["spec"]["template"]["spec"]["volumes"]
            if "configMap" in volume
        )
        assert volume["name"] == name
        volume["name"] = name.rsplit("-", 1)[0]
    alone = [read(path) for path in MANIFESTS if path.parent == folder]
    assert together == {each["kind"]: each for each in alone}
    assert len(together) == len(alone)


def test_the_volume_is_the_one_that_tasks_and_server_mount():
    claim = read(FOLDER / "volume" / "claim.yaml")
    assert claim["metadata"]["name"] == KubeflowConfig().volume_claim
    assert "ReadWriteMany" in claim["spec"]["accessModes"]
    deployment = read(FOLDER / "serving" / "deployment.yaml")["spec"]["template"]
    for pod in (read(FOLDER / "volume" / "loader.yaml"), deployment):
        volume, (container,) = pod["spec"]["volumes"][0], pod["spec"]["containers"]
        assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert mounted[volume["name"]] == str(WORKDIR)


def loader():
    spec = read(FOLDER / "volume" / "loader.yaml")["spec"]
    return spec["securityContext"], spec["containers"][0]


def test_the_loader_is_the_images_user_and_group():
    pod, _ = loader()
    (user,) = re.findall(
        r"^USER (\S+)$", (FOLDER / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert user == f"{pod['runAsUser']}:{pod['runAsGroup']}"
    assert pod["fsGroup"] == pod["runAsGroup"]


def test_the_loader_is_what_pod_security_restricted_takes():
    # https://kubernetes.io/docs/concepts/security/pod-security-standards/
    pod, container = loader()
    assert pod["runAsNonRoot"]
    assert pod["runAsUser"] != 0
    assert pod["seccompProfile"]["type"] == "RuntimeDefault"
    own = container["securityContext"]
    assert own == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


@pytest.fixture
def open_folder():
    """One that other users may enter, as they may not pytest's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become the loader's user")
@pytest.mark.parametrize("mode", [0o2775, 0o2755])
def test_the_loader_makes_the_folders_or_says_what_to_do(open_folder, mode):
    pod, container = loader()
    volume, elsewhere = open_folder / "work", open_folder / "tmp"
    for folder, its in ((volume, mode), (elsewhere, 0o777)):
        folder.mkdir()
        folder.chmod(its)
    script = container["args"][0].replace("/work", str(volume)).replace("/tmp/r", f"{elsewhere}/r")
    done = subprocess.run(
        [*container["command"], script.replace("sleep 3600", "true")],
        user=pod["runAsUser"],
        group=pod["runAsGroup"],
        extra_groups=[],
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    if mode == 0o2775:
        assert done.returncode == 0
        folders = {"data", "networks", "serving", "checkpoints"}
        assert {path.name for path in volume.iterdir()} == folders
        assert all(path.stat().st_mode & 0o070 == 0o070 for path in volume.iterdir())
        assert (elsewhere / "ready").exists()
    else:
        assert done.returncode == 1
        for part in ("cannot be written by user 10001 of group 0", "mode 2755", "EFS"):
            assert part in done.stdout
        assert not list(volume.iterdir())
