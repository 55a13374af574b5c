"""What tasks have produced, as Kubeflow's metadata store gives it to the tasks after them."""

from typing import Any

from local_kubeflow.errors import SpecError


class Records:
    """Outputs by task and key."""

    def __init__(self):
        self.artifacts: dict[tuple[str, str], dict[str, Any]] = {}
        self.parameters: dict[tuple[str, str], Any] = {}
        self._tasks: set[str] = set()

    def keep(self, task: str, artifacts: dict[str, Any], parameters: dict[str, Any]) -> None:
        """Records the outputs of a task that has succeeded."""
        self._tasks.add(task)
        for key, artifact in artifacts.items():
            metadata = {"display_name": key, **artifact.get("metadata", {})}
            self.artifacts[task, key] = {
                **artifact,
                # What stands for an artifact outside the metadata store is its id there.
                "name": str(len(self.artifacts) + 1),
                "metadata": {name: _stored(value) for name, value in metadata.items()},
            }
        for key, value in parameters.items():
            self.parameters[task, key] = value

    def artifact(self, task: str, key: str) -> dict[str, Any]:
        """Returns an artifact, as a RuntimeArtifact."""
        return self._found(self.artifacts, task, key)

    def parameter(self, task: str, key: str) -> Any:
        """Returns an output parameter's value."""
        return self._found(self.parameters, task, key)

    def _found(self, outputs: dict[tuple[str, str], Any], task: str, key: str) -> Any:
        if task not in self._tasks:
            raise SpecError(f"cannot find producer task {task!r}")
        if (task, key) not in outputs:
            raise SpecError(f"cannot find output {key!r} of the producer task {task!r}")
        return outputs[task, key]


def _stored(value: Any) -> Any:
    """Returns what comes back: the store has no booleans, and wraps what is not a scalar."""
    match value:
        case bool():
            return int(value)
        case list():
            return {"list": value}
        case dict():
            return {"struct": value}
        case _:
            return value
