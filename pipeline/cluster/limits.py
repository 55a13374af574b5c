"""What a task can be given: Kubeflow hands a container all its inputs in one argument."""

from collections.abc import Mapping
from typing import Any

from kd_trainer.errors import ConfigError

# Linux's MAX_ARG_STRLEN, with the NUL at the end.
_BYTES = 128 * 1024
# Of an artifact in an ExecutorInput beside its key and the pipeline root: ids, the producer's name,
# the store's session (MinIO's), a model's properties.
_ARTIFACT = 600
_ROOT = 100


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
                "after all trainings. Compare fewer methods at a time (compare.methods), or by "
                "fewer seeds (compare.trials)."
            )
