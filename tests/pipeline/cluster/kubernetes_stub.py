"""A stand-in for Kubernetes' API: the few objects that `kubeflow doctor` asks for.

What it answers is made of the models of the package kubernetes, which refuse a missing field, and
written as its client writes them.
"""

import re

from kfp_messages import Refusal
from kubernetes import client

# The status of a refusal, as apimachinery's `Status`: pkg/apis/meta/v1/types.go.
_REASONS = {403: "Forbidden", 404: "NotFound"}
_NAMESPACED = r"GET /api/v1/namespaces/([^/]+)"


class KubernetesApi:
    """The objects, by name; `refused` is a status that all requests are answered with."""

    def __init__(self):
        self.claims, self.secrets, self.nodes, self.pods, self.logs = {}, {}, [], [], {}
        self.refused = None
        self.requests = []

    def answer(self, method, path, query, headers, body):
        self.requests.append(f"{method} {path}")
        if self.refused:
            self._refuse(self.refused)
        request = f"{method} {path}"
        if found := re.fullmatch(rf"{_NAMESPACED}/(persistentvolumeclaims|secrets)/(.+)", request):
            kind = self.claims if found[2] == "persistentvolumeclaims" else self.secrets
            return self._json(kind.get((found[1], found[3])) or self._refuse(404))
        if request == "GET /api/v1/nodes":
            return self._json(client.V1NodeList(items=self.nodes))
        if re.fullmatch(rf"{_NAMESPACED}/pods", request):
            key, _, value = query["labelSelector"].partition("=")
            pods = [pod for pod in self.pods if pod.metadata.labels.get(key) == value]
            return self._json(client.V1PodList(items=pods))
        if found := re.fullmatch(rf"{_NAMESPACED}/pods/(.+)/log", request):
            assert query == {"container": "main"}
            return self.logs[found[2]]
        return self._refuse(404)

    def _refuse(self, status):
        raise Refusal(status, {"kind": "Status", "code": status, "reason": _REASONS[status]})

    def _json(self, model):
        return client.ApiClient(client.Configuration()).sanitize_for_serialization(model)


def claim(*modes, phase="Bound"):
    return client.V1PersistentVolumeClaim(
        spec=client.V1PersistentVolumeClaimSpec(access_modes=list(modes)),
        status=client.V1PersistentVolumeClaimStatus(phase=phase),
    )


def secret(*keys, kind="Opaque"):
    return client.V1Secret(data=dict.fromkeys(keys, "aHVudGVyMg=="), type=kind)


def node(gpus=0, **labels):
    return client.V1Node(
        metadata=client.V1ObjectMeta(name="node", labels=labels),
        status=client.V1NodeStatus(allocatable={"cpu": "8", "nvidia.com/gpu": str(gpus)}),
    )


def pod(name, run_id, image, waiting=None, unschedulable=None):
    """A task's pod; `waiting` is the reason and message of its container."""
    state = client.V1ContainerState(
        waiting=waiting and client.V1ContainerStateWaiting(reason=waiting[0], message=waiting[1])
    )
    condition = client.V1PodCondition(
        type="PodScheduled", status="False", reason="Unschedulable", message=unschedulable
    )
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name=name, labels={"pipeline/runid": run_id}),
        spec=client.V1PodSpec(
            containers=[
                client.V1Container(name="wait", image="argoexec"),
                client.V1Container(name="main", image=image),
            ]
        ),
        status=client.V1PodStatus(
            conditions=[condition] if unschedulable else [],
            container_statuses=[
                client.V1ContainerStatus(
                    name="main",
                    image=image,
                    image_id="",
                    ready=False,
                    restart_count=0,
                    state=state,
                )
            ],
        ),
    )
