"""What Kubernetes' API says of what the tasks need, with the rights of the user's kubeconfig."""

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from kubernetes import client, config
from urllib3.exceptions import HTTPError

from pipeline.cluster import pods
from pipeline.cluster.connection import TIMEOUT
from pipeline.cluster.findings import Finding, failure, ok, warning
from pipeline.cluster.settings import KubeflowConfig

_PULL_TYPES = ("kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg")
_RUN = "pipeline/runid"  # Kubeflow's label of a run's pods


class Kubernetes:
    """The objects of a namespace.

    Args:
      namespace: where the pods are.
    """

    def __init__(self, namespace: str):
        self.namespace = namespace
        # Why nothing can be asked, where there is no configuration.
        self.silent = ""
        # It tells of every try.
        logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
        try:
            config.load_kube_config()
        except config.ConfigException as error:
            try:
                config.load_incluster_config()
            except config.ConfigException:
                self.silent = f"kubectl's configuration cannot be used: {error}".rstrip(".")
        self._core = client.CoreV1Api()

    @property
    def host(self) -> str:
        """The address of the cluster that is asked."""
        return self._core.api_client.configuration.host

    def cluster(self, settings: KubeflowConfig) -> Iterator[Finding]:
        """Yields what is found of the claim, the secrets and the nodes."""
        yield self._claim(settings.volume_claim)
        for secret in settings.secret_env:
            yield self._secret(secret.secret, list(secret.env.values()))
        if settings.image_pull_secret:
            yield self._pull_secret(settings.image_pull_secret)
        if settings.gpu.count:
            yield self._gpus(settings)

    def waiting_for(self, run_id: str) -> tuple[str, bool]:
        """Says why pods of a run do not start.

        Returns:
          The reasons, empty if there are none or they could not be asked, and whether it is
          futile to wait.
        """
        reasons = [reason for pod in self._pods(run_id) for reason in pods.reasons(pod)]
        texts = "; ".join(text for text, _ in reasons)
        return texts, any(stuck for _, stuck in reasons)

    def log(self, run_id: str, image: str) -> str | None:
        """Returns what the pod of a run with this image said; None if it cannot be asked."""
        for pod in self._pods(run_id):
            if any(each.name == "main" and each.image == image for each in pod.spec.containers):
                try:
                    return self._core.read_namespaced_pod_log(
                        pod.metadata.name,
                        self.namespace,
                        container="main",
                        _request_timeout=TIMEOUT,
                    )
                except (client.ApiException, HTTPError):
                    return None
        return None

    def _pods(self, run_id: str) -> list[Any]:
        if self.silent:
            return []
        try:
            return self._core.list_namespaced_pod(
                self.namespace, label_selector=f"{_RUN}={run_id}", _request_timeout=TIMEOUT
            ).items
        except (client.ApiException, HTTPError):
            return []

    def _claim(self, name: str) -> Finding:
        subject = f"claim {name}"
        claim = self._get(
            subject,
            f"-n {self.namespace} get pvc {name}",
            f"kubectl -n {self.namespace} apply -k kubeflow/volume makes one; "
            "kubeflow.volume_claim names another.",
            lambda **limit: self._core.read_namespaced_persistent_volume_claim(
                name, self.namespace, **limit
            ),
        )
        if isinstance(claim, Finding):
            return claim
        modes, phase = ", ".join(claim.spec.access_modes), claim.status.phase
        if "ReadWriteMany" not in claim.spec.access_modes:
            return failure(
                subject,
                f"its access mode is {modes}, expected ReadWriteMany: tasks run on several nodes. "
                "A claim's mode cannot be changed: make another, with a storage class for such "
                "volumes (NFS, Filestore, EFS, CephFS).",
            )
        if phase == "Lost":
            return failure(subject, "its volume is gone; make the claim again.")
        if phase != "Bound":
            return warning(
                subject,
                f"{modes}, but {phase}: no volume yet. So it is until its first pod where the "
                "storage class waits for one; otherwise see the events of "
                f"`kubectl -n {self.namespace} describe pvc {name}`.",
            )
        return ok(subject, f"{modes}, {phase}")

    def _secret(self, name: str, keys: list[str]) -> Finding:
        subject = f"secret {name}"
        secret = self._get_secret(
            subject, name, f"create secret generic {name} --from-literal={keys[0]}=..."
        )
        if isinstance(secret, Finding):
            return secret
        if missing := sorted(set(keys) - set(secret.data or {})):
            return failure(
                subject,
                f"it has no key {', '.join(missing)}, which kubeflow.secret_env names; it has "
                f"{', '.join(sorted(secret.data or {})) or 'none'}.",
            )
        return ok(subject, f"has {', '.join(sorted(keys))}")

    def _pull_secret(self, name: str) -> Finding:
        subject = f"image pull secret {name}"
        make = f"create secret docker-registry {name} --docker-server=..."
        secret = self._get_secret(subject, name, make)
        if isinstance(secret, Finding):
            return secret
        if secret.type not in _PULL_TYPES:
            return failure(
                subject,
                f"its type is {secret.type}, expected {_PULL_TYPES[0]}: make it by "
                f"kubectl -n {self.namespace} {make}",
            )
        return ok(subject, f"is there, of the type {secret.type}")

    def _get_secret(self, subject: str, name: str, make: str) -> Any:
        return self._get(
            subject,
            f"-n {self.namespace} describe secret {name}",
            f"kubectl -n {self.namespace} {make} makes one.",
            lambda **limit: self._core.read_namespaced_secret(name, self.namespace, **limit),
        )

    def _gpus(self, settings: KubeflowConfig) -> Finding:
        resource, count = settings.gpu.resource, settings.gpu.count
        listed = self._get(
            resource,
            f"describe nodes, under Allocatable, {resource}",
            "",
            self._core.list_node,
        )
        if isinstance(listed, Finding):
            return listed
        fitting = [
            node
            for node in listed.items
            if _has(node.metadata.labels or {}, settings.node_selector)
            and int((node.status.allocatable or {}).get(resource, 0)) >= count
        ]
        if fitting:
            return ok(resource, f"{len(fitting)} of {len(listed.items)} nodes have {count} or more")
        return warning(
            resource,
            f"none of {len(listed.items)} nodes that kubeflow.node_selector allows has {count}. "
            "Unless the cluster adds such nodes as they are asked for: install the device plugin "
            "on the nodes with GPUs, or train on the CPU with --set kubeflow.gpu.count=0.",
        )

    def _get(self, subject: str, ask: str, make: str, get: Callable[..., Any]) -> Any:
        """Returns an object, or the finding that it is not there or cannot be asked."""
        why = self.silent
        if not why:
            try:
                return get(_request_timeout=TIMEOUT)
            except client.ApiException as error:
                if error.status == 404:
                    return failure(
                        subject, f"there is none in the namespace {self.namespace!r}. {make}"
                    )
                why = f"Kubernetes answered {error.status} {error.reason}"
            except HTTPError as error:
                why = f"Kubernetes cannot be reached: {getattr(error, 'reason', None) or error}"
        return warning(subject, f"could not be asked: {why}. Ask it by: kubectl {ask}")


def _has(labels: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    return all(labels.get(key) == value for key, value in wanted.items())
