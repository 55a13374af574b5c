"""The kubelet: a pod's containers, by podman, with the volumes and the account of a pod."""

import json
import re
import subprocess
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Spec = dict[str, Any]
_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_MAIN = "main"
_SHOWN = 6000  # characters of what a container that fails has said last


class PodFailedError(Exception):
    """A container of a pod failed; the message has what it said last."""


@dataclass(frozen=True)
class Node:
    """Where pods run.

    Attributes:
      binaries: the folder of Kubeflow's commands, for containers that run one of them.
      claims: folders of this machine by the claims of persistent volumes.
      account: the folder of the pods' service account.
      api: host and port of Kubernetes' API.
      hosts: addresses by name, for what a cluster's name service answers.
      scratch: a folder a pod, with its volumes that last as long as it and its containers' logs.
    """

    binaries: Path
    claims: Mapping[str, Path]
    account: Path
    api: tuple[str, int]
    hosts: Mapping[str, str]
    scratch: Path

    def run(self, name: str, template: Spec, paths: Mapping[str, str]) -> dict[str, str]:
        """Runs a template of a workflow, as `argo.RunPod` describes."""
        pod = _patched(template)
        folder = self.scratch / name
        outputs = folder / "outputs"
        mounts = {"/tmp/outputs": outputs}
        volumes = {volume["name"]: self._volume(folder, volume) for volume in pod["volumes"]}
        for made in (outputs, *volumes.values()):
            made.mkdir(parents=True, exist_ok=True)
            made.chmod(0o777)
        identity = {"metadata.name": name, "metadata.uid": str(uuid.uuid4())}
        for container in (*pod.get("initContainers", []), {**pod["container"], "name": _MAIN}):
            container_mounts = mounts | {
                mount["mountPath"]: volumes[mount["name"]]
                for mount in container.get("volumeMounts", [])
            }
            self._run(container, identity, container_mounts, folder)
        return {
            key: (outputs / Path(path).name).read_text(encoding="utf-8")
            for key, path in paths.items()
            if (outputs / Path(path).name).is_file()
        }

    def _volume(self, folder: Path, volume: Spec) -> Path:
        match volume:
            case {"emptyDir": _}:
                return folder / volume["name"]
            case {"persistentVolumeClaim": {"claimName": claim}}:
                return self.claims[claim]
        raise PodFailedError(f"a volume is not known: {volume}")

    def _run(
        self, container: Spec, identity: Mapping[str, str], mounts: Mapping[str, Path], folder: Path
    ) -> None:
        environment = {
            "KUBERNETES_SERVICE_HOST": self.api[0],
            "KUBERNETES_SERVICE_PORT": str(self.api[1]),
            **{entry["name"]: _value(entry, identity) for entry in container.get("env", [])},
        }
        words = [*container.get("command", []), *container.get("args", [])]
        words = [_expanded(word, environment) for word in words]
        command = ["podman", "run", "--rm", "--pull=never", "--network=host", "--cap-drop=all"]
        command += ["--read-only", "--read-only-tmpfs=false", "--tmpfs=/tmp"]
        command += [f"--add-host={name}:{address}" for name, address in self.hosts.items()]
        command += [f"--env={name}={value}" for name, value in environment.items()]
        command += [f"--volume={source}:{place}" for place, source in mounts.items()]
        command += [f"--volume={self.account}:{_ACCOUNT}:ro"]
        binary = self.binaries / words[0]
        if binary.is_file():
            command += [f"--volume={binary}:/usr/local/bin/{words[0]}:ro"]
        command += ["--entrypoint=", container["image"], *words]
        log = folder / f"{container['name']}.log"
        with log.open("wb") as file:
            status = subprocess.run(command, stdout=file, stderr=file).returncode
        if status:
            said = log.read_text(errors="replace", encoding="utf-8")[-_SHOWN:]
            raise PodFailedError(f"{folder.name}: {container['name']}: status {status}:\n{said}")


def _patched(template: Spec) -> Spec:
    """Returns a template with its `podSpecPatch` laid over it, as Argo does it."""
    patch = json.loads(template.get("podSpecPatch") or "{}")
    main = next(iter(patch.get("containers", [])), {})
    container = {**template["container"], **main}
    for key in ("env", "volumeMounts"):
        container[key] = [*template["container"].get(key, []), *main.get(key, [])]
    volumes = [*template.get("volumes", []), *patch.get("volumes", [])]
    return {**template, "container": container, "volumes": volumes}


def _value(entry: Spec, identity: Mapping[str, str]) -> str:
    match entry:
        case {"value": value}:
            return value
        case {"valueFrom": {"fieldRef": {"fieldPath": path}}}:
            return identity[path]
    raise PodFailedError(f"an environment variable is not known: {entry}")


def _expanded(word: str, environment: Mapping[str, str]) -> str:
    """Replaces `$(NAME)`, as the kubelet does it."""
    return re.sub(r"\$\((\w+)\)", lambda found: environment.get(found[1], found[0]), word)
