"""How large a pipeline may be, for Kubeflow, Argo and Linux to take it."""

from collections.abc import Mapping
from typing import Any

from kd_trainer.errors import ConfigError

# Linux's MAX_ARG_STRLEN, with the NUL at the end.
_BYTES = 128 * 1024
# Of an artifact in an ExecutorInput beside its key and the pipeline root: ids, the producer's name,
# the store's session (MinIO's), a model's properties.
_ARTIFACT = 600
_ROOT = 100
# The Workflow that Kubeflow's compiler makes of a pipeline is within 40 kB as long as the document;
# what Argo keeps of the tasks' state beside it is half of that, compressed. Measured with the
# compiler and driver of 2.17, on 15 to 268 tasks and on 17.
_COMPILED = 40_000
_STATE = 0.5
_STORED = 3 * 2**19  # etcd's --max-request-bytes
_WORKFLOW = 2**20  # Argo's MAX_WORKFLOW_SIZE, workflow/packer/packer.go
_FEWER = "Compare fewer methods at a time (compare.methods), or by fewer seeds (compare.trials)."


def argument(task: Mapping[str, Any], root: str | None) -> int:
    """Returns how many bytes a task's ExecutorInput takes at most.

    Args:
      task: a PipelineTaskSpec.
      root: the pipeline root, or None for the cluster's own.
    """
    artifacts, parameters = (task["inputs"].get(kind, {}) for kind in ("artifacts", "parameters"))
    place = len(root or "") or _ROOT
    # The key stands there three times: as itself, in the address and in the artifact's name.
    given = sum(_ARTIFACT + place + 3 * len(key) for key in artifacts)
    values = [source.get("runtimeValue", {}).get("constant", "") for source in parameters.values()]
    # Quotes in a value are escaped.
    return given + sum(100 + 2 * len(str(value)) for value in values) + 5 * (_ARTIFACT + place)


def check(tasks: Mapping[str, Mapping[str, Any]], root: str | None) -> None:
    """Refuses a pipeline with a task that could not be started.

    Args:
      tasks: of the pipeline, by name.
      root: as `argument` takes it.

    Raises:
      ConfigError: its inputs are too many.
    """
    for name, task in tasks.items():
        if (size := argument(task, root)) > _BYTES:
            count = len(task["inputs"]["artifacts"])
            raise ConfigError(
                f"The task {name!r} would be given {count} artifacts, in one argument of up to "
                f"{size // 1024} KiB, and Linux takes {_BYTES // 1024}: it could not be started "
                f"after all trainings. {_FEWER}"
            )


def check_workflow(document: str) -> str:
    """Refuses a pipeline that no cluster can keep.

    Args:
      document: the compiled pipeline.

    Returns:
      What to know of one that clusters keep only if they are set up for it; empty of others.

    Raises:
      ConfigError: it is larger than what Kubernetes keeps.
    """
    size = len(document.encode())
    if size > _STORED:
        raise ConfigError(
            f"The pipeline takes {size / 2**20:.1f} MiB, and Kubernetes keeps no Workflow above "
            f"{_STORED / 2**20} MiB. {_FEWER}"
        )
    whole = (size + _COMPILED) * (1 + _STATE)
    if whole <= _WORKFLOW:
        return ""
    return (
        f"With the state of its tasks the pipeline takes some {whole / 2**20:.1f} MiB. Argo takes "
        "1 MiB, unless its controller offloads node status or has a larger MAX_WORKFLOW_SIZE: "
        f"elsewhere the run fails on the way. {_FEWER}"
    )
