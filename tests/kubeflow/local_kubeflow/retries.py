"""When Argo starts a task's pod anew: `processNodeRetries` in its workflow/controller/operator.go.

Its default policy, `OnFailure`, looks at pods that fail. One that is deleted, as by a preemption or
a drained node, ends as an error, and Kubeflow has no field for another policy.
"""

import time
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

from local_kubeflow.errors import PodDeletedError, TaskFailedError

Spec = dict[str, Any]
_T = TypeVar("_T")


class Retries(NamedTuple):
    """A task's retryPolicy, as Kubeflow's compiler makes Argo's retryStrategy of it.

    Attributes:
      limit: how often a pod is started anew.
      pause: seconds before the second attempt.
      factor: of each pause to the one before it.
      longest: seconds from the start of the first attempt; no attempt begins after it, and one that
        is at work is killed then.
    """

    limit: int = 0
    pause: float = 0
    factor: float = 1
    longest: float = float("inf")


def of_task(task: Spec) -> Retries:
    """Returns a PipelineTaskSpec's; what is left out of it is 0 (argocompiler/container.go:614)."""
    if (policy := task.get("retryPolicy")) is None:
        return Retries()
    return Retries(
        policy.get("maxRetryCount", 0),
        _seconds(policy.get("backoffDuration", "0s")),
        int(policy.get("backoffFactor", 0)),
        _seconds(policy.get("backoffMaxDuration", "0s")),
    )


def attempted(
    start: Callable[[int, float], _T], retries: Retries, clock: Callable[[], float] = time.monotonic
) -> _T:
    """Runs a task until it succeeds.

    Args:
      start: starts an attempt, by its number from 0 and the seconds that are left to it, and
        returns what it produced.
      retries: the task's.
      clock: gives seconds; pauses are added to it and not waited for.

    Raises:
      TaskFailedError: the last attempt failed, or was killed as its time was over.
      PodDeletedError: somebody deleted an attempt's pod.
    """
    began, paused, number = clock(), 0.0, 0
    while True:
        try:
            return start(number, retries.longest - (clock() - began + paused))
        except PodDeletedError:
            raise
        except TaskFailedError:
            pause = retries.pause * max(retries.factor, 1) ** number
            over = clock() - began + paused + pause > retries.longest
            if number == retries.limit or over:
                raise
            paused += pause
            number += 1


def _seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))
