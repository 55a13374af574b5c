"""Why a pod does not start, as Kubernetes says it."""

from collections.abc import Iterator
from typing import Any

# Reasons of a container that waits, after which it does not start before somebody does something.
_STUCK = ("ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError")
_ON_ITS_WAY = ("ContainerCreating", "PodInitializing")


def reasons(pod: Any) -> Iterator[tuple[str, bool]]:
    """Yields why a pod does not start, each with whether it is futile to wait."""
    for condition in pod.status.conditions or []:
        if condition.type == "PodScheduled" and condition.status == "False":
            yield f"{condition.reason}: {condition.message}", False
    for container in [
        *(pod.status.init_container_statuses or []),
        *(pod.status.container_statuses or []),
    ]:
        waiting = container.state.waiting if container.state else None
        if waiting and waiting.reason and waiting.reason not in _ON_ITS_WAY:
            text = f"{waiting.reason}: {waiting.message or container.image}"
            yield text, waiting.reason in _STUCK
