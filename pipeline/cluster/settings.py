"""What a cluster is asked for, as the section `kubeflow` of a run's configuration."""

import re
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from kd_trainer.errors import ConfigError
from pipeline.cluster.local_paths import ROOTS

_SIZE = re.compile(r"[0-9]+(Ki|Mi|Gi|Ti)")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Resources(_Section):
    """What a task's container is given."""

    cpu: float = Field(2.0, gt=0, description="cores")
    memory: float = Field(8.0, gt=0, description="gigabytes")


class Gpu(_Section):
    """What a training task is given beside."""

    resource: str = Field("nvidia.com/gpu", description="the Kubernetes resource")
    count: int = Field(1, ge=0, description="0: train on the CPU")


class Toleration(_Section):
    """As Kubernetes has it."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""


class SecretEnv(_Section):
    """Environment variables out of a secret; the values never leave the cluster."""

    secret: str = Field(description="the secret's name")
    env: dict[str, str] = Field(description="the secret's key by environment variable")


class KubeflowConfig(_Section):
    """What a cluster is asked for."""

    image: str = Field("tfx-distill:latest", min_length=1, description="the container image")
    pipeline_root: str | None = Field(
        None, description="where the artifacts are kept; the cluster's own place if not given"
    )
    volume_claim: str = Field(
        "tfx-distill", description="of a volume for pushed versions and checkpoints"
    )
    resources: Resources = Field(Resources(), description="of every task that does not train")
    training: Resources = Field(Resources(cpu=4, memory=16), description="of those that train")
    gpu: Gpu = Gpu()
    workers: int = Field(2, ge=2, description="pods of a training that is multi_worker")
    start_timeout: int = Field(1800, ge=1, description="seconds until all of them run")
    shared_memory: str = Field("1Gi", description="/dev/shm of the tasks that train")
    timeout: int = Field(3600, ge=1, description="seconds, of a task that does not train")
    training_timeout: int = Field(86400, ge=1, description="seconds, of one that trains")
    retries: int = Field(
        2, ge=0, le=10, description="of a task that failed and trains a network or runs on Beam"
    )
    node_selector: dict[str, str] = Field({}, description="of the tasks that train")
    tolerations: list[Toleration] = Field([], description="of the tasks that train")
    image_pull_secret: str | None = Field(None, description="the secret's name")
    secret_env: list[SecretEnv] = Field([], description="for every task")

    @field_validator("pipeline_root")
    @classmethod
    def _store_that_the_launcher_knows(cls, root: str | None) -> str | None:
        if root is not None and not root.startswith(tuple(ROOTS)):
            raise ConfigError(
                f"found {root!r}; Kubeflow's launcher takes addresses that begin with "
                f"{', '.join(ROOTS)}, such as minio://mlpipeline/v2/artifacts."
            )
        return root

    @field_validator("shared_memory")
    @classmethod
    def _quantity(cls, size: str) -> str:
        if not _SIZE.fullmatch(size):
            raise ConfigError(f"found {size!r}; expected a size such as 1Gi or 512Mi.")
        return size

    def task_timeout(self, trains: bool) -> int:
        """Returns the seconds that a task may take, which trains or does not."""
        return self.training_timeout if trains else self.timeout


def container_resources(settings: KubeflowConfig, trains: bool) -> dict[str, Any]:
    """Returns what a task's container asks of its node, as a PipelineSpec has it.

    Args:
      settings: the cluster's.
      trains: whether the task trains a network.
    """
    asked = settings.training if trains else settings.resources
    resources: dict[str, Any] = {
        "cpuRequest": asked.cpu,
        "cpuLimit": asked.cpu,
        "memoryRequest": asked.memory,
        "memoryLimit": asked.memory,
    }
    if trains and settings.gpu.count:
        resources["accelerator"] = {
            "type": settings.gpu.resource,
            "count": str(settings.gpu.count),  # as JSON writes an int64
        }
    return resources


def executor_platform(settings: KubeflowConfig, trains: bool, mount_path: str) -> dict[str, Any]:
    """Returns what Kubeflow's Kubernetes platform is told of a task's pod.

    Args:
      settings: the cluster's.
      trains: whether the task trains a network.
      mount_path: where the volume is in the container.
    """
    pod: dict[str, Any] = {
        "pvcMount": [{"constant": settings.volume_claim, "mountPath": mount_path}],
        "activeDeadlineSeconds": str(settings.task_timeout(trains)),
    }
    if settings.image_pull_secret:
        pod["imagePullSecret"] = [{"secretName": settings.image_pull_secret}]
    if settings.secret_env:
        pod["secretAsEnv"] = [
            {
                "secretName": secret.secret,
                "keyToEnv": [
                    {"secretKey": key, "envVar": variable} for variable, key in secret.env.items()
                ],
            }
            for secret in settings.secret_env
        ]
    if trains:
        pod["enabledSharedMemory"] = {"volumeName": "shm", "size": settings.shared_memory}
        if settings.node_selector:
            pod["nodeSelector"] = {"labels": settings.node_selector}
        if settings.tolerations:
            pod["tolerations"] = [
                toleration.model_dump(exclude_defaults=True) | {"operator": toleration.operator}
                for toleration in settings.tolerations
            ]
    return pod
