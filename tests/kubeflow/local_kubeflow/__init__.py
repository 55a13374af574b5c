"""Runs a compiled pipeline as Kubeflow Pipelines v2 does, each task in a container, on podman.

It follows `backend/src/v2` of kubeflow/pipelines: a driver resolves a task's inputs and names its
outputs (`driver.py`), a launcher copies artifacts between the object store and the container and
reads what the executor reports (`launcher.py`), a store of metadata keeps what was produced
(`records.py`), what an earlier run has produced is served where a task allows it (`cache.py`), and
tasks start as their dependentTasks have ended (`run.py`). A task that fails is started anew as
often as its retry policy says, at once.

Not simulated: the pauses between retries, resources and the platform specification. A pipeline's
specification that holds what is not known here is refused.
"""

from local_kubeflow.cache import Cache
from local_kubeflow.errors import SpecError, TaskFailedError
from local_kubeflow.launcher import Places
from local_kubeflow.run import run

__all__ = ["Cache", "Places", "SpecError", "TaskFailedError", "run"]
