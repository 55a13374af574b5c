"""Runs a compiled pipeline as Kubeflow Pipelines 2 does, each task in a container or a process.

It follows `backend/src/v2` of kubeflow/pipelines, in the releases of `backend.py`: a driver
resolves a task's inputs and names its outputs (`driver.py`), a launcher copies artifacts between
the object store and the container and reads what the executor reports (`launcher.py`), a store of
metadata keeps what was produced (`records.py`), what an earlier run has produced is served where a
task allows it (`cache.py`), and tasks start as their dependentTasks have ended (`run.py`). A task
that fails is started anew as Argo does it (`retries.py`), but without waiting in between.

Not simulated: resources and the platform specification. A pipeline's specification that holds what
is not known here is refused.
"""

from local_kubeflow.backend import BACKENDS, of_release
from local_kubeflow.cache import Cache
from local_kubeflow.engines import Podman, Processes
from local_kubeflow.errors import PodDeletedError, SpecError, TaskFailedError
from local_kubeflow.launcher import Places, delete_pod
from local_kubeflow.run import run

__all__ = [
    "BACKENDS",
    "Cache",
    "Places",
    "PodDeletedError",
    "Podman",
    "Processes",
    "SpecError",
    "TaskFailedError",
    "delete_pod",
    "of_release",
    "run",
]
