"""The Indexed Job and the headless Service of a training on several machines."""

from pathlib import Path
from typing import Any

from pipeline.cluster.local_paths import WORKDIR
from pipeline.cluster.settings import KubeflowConfig
from pipeline.cluster.worker import ADDRESSES

_PORT = 2222
_LABEL = "tfx-distill/job"
Manifest = dict[str, Any]


def selector(name: str) -> str:
    """Returns the selector of a Job's pods."""
    return f"{_LABEL}={name}"


def service(name: str, owner: Manifest) -> Manifest:
    """Returns the Service that gives each pod a name.

    Args:
      name: the Job's, and the Service's.
      owner: the reference of the task's pod, with which Kubernetes deletes both.
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(name, owner),
        "spec": {
            "clusterIP": "None",
            # A process waits for the names of the others before it is of use itself.
            "publishNotReadyAddresses": True,
            "selector": {_LABEL: name},
            "ports": [{"name": "grpc", "port": _PORT}],
        },
    }


def job(name: str, owner: Manifest, settings: KubeflowConfig, image: str, folder: Path) -> Manifest:
    """Returns the Job, which fails as a whole as soon as one of its pods does.

    The others cannot go on without it, and all must start again together: `backoffLimit` is 0, and
    the task's own retries make the next Job.

    Args:
      name: the Job's, and the Service's.
      owner: the reference of the task's pod, with which Kubernetes deletes both.
      settings: the cluster's.
      image: the container image.
      folder: what `staging.stage` has filled.
    """
    workers = settings.workers
    pod: Manifest = {
        "restartPolicy": "Never",
        "subdomain": name,
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [_container(name, settings, image, folder)],
        "volumes": [
            {"name": "work", "persistentVolumeClaim": {"claimName": settings.volume_claim}},
            {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": settings.shared_memory}},
        ],
    }
    if settings.node_selector:
        pod["nodeSelector"] = settings.node_selector
    if settings.tolerations:
        pod["tolerations"] = [
            each.model_dump(exclude_defaults=True) | {"operator": each.operator}
            for each in settings.tolerations
        ]
    if settings.image_pull_secret:
        pod["imagePullSecrets"] = [{"name": settings.image_pull_secret}]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": _metadata(name, owner),
        "spec": {
            "completionMode": "Indexed",
            "completions": workers,
            "parallelism": workers,
            "backoffLimit": 0,
            "activeDeadlineSeconds": settings.training_timeout,
            # Service meshes put a proxy beside each pod, which does not end with it.
            "template": {
                "metadata": {"labels": {_LABEL: name, "sidecar.istio.io/inject": "false"}},
                "spec": pod,
            },
        },
    }


def _metadata(name: str, owner: Manifest) -> Manifest:
    return {"name": name, "labels": {_LABEL: name}, "ownerReferences": [owner]}


def _container(name: str, settings: KubeflowConfig, image: str, folder: Path) -> Manifest:
    # Kubernetes gives each pod of an Indexed Job the host name JOB-INDEX.
    addresses = [f"{name}-{index}.{name}:{_PORT}" for index in range(settings.workers)]
    asked = {
        "cpu": f"{round(settings.training.cpu * 1000)}m",
        "memory": str(round(settings.training.memory * 1e9)),
    }
    if settings.gpu.count:
        asked[settings.gpu.resource] = str(settings.gpu.count)
    secrets = [
        {
            "name": variable,
            "valueFrom": {"secretKeyRef": {"name": secret.secret, "key": key}},
        }
        for secret in settings.secret_env
        for variable, key in secret.env.items()
    ]
    return {
        "name": "worker",
        "image": image,
        "command": ["python", "-m", "pipeline.cluster.worker", str(folder)],
        "env": [{"name": ADDRESSES, "value": ",".join(addresses)}, *secrets],
        "ports": [{"containerPort": _PORT}],
        "resources": {"requests": asked, "limits": asked},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "volumeMounts": [
            {"name": "work", "mountPath": str(WORKDIR)},
            {"name": "shm", "mountPath": "/dev/shm"},
        ],
    }
