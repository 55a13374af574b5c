"""What tasks have produced, as Kubeflow's metadata store gives it to the tasks after them."""

import json
from typing import Any

from local_kubeflow.cache import Cache, Outputs
from local_kubeflow.errors import SpecError

_SESSION = json.dumps({"Provider": "minio", "Params": {"fromEnv": "false"}})


class Records:
    """Outputs by task and key.

    Args:
      cache: gives artifacts their ids.

    Attributes:
      executed: the tasks that ran; the others were served from the cache.
    """

    def __init__(self, cache: Cache):
        self._cache = cache
        self.executed: set[str] = set()
        self.artifacts: dict[tuple[str, str], dict[str, Any]] = {}
        self.parameters: dict[tuple[str, str], Any] = {}
        self._tasks: set[str] = set()

    def produced(self, task: str, artifacts: dict[str, Any], parameters: dict[str, Any]) -> Outputs:
        """Records the outputs of a task that has succeeded, and returns them as they are kept."""
        self.executed.add(task)
        outputs = {key: self._published(key, artifact) for key, artifact in artifacts.items()}
        self.served(task, (outputs, parameters))
        return outputs, parameters

    def served(self, task: str, outputs: Outputs) -> None:
        """Records what an earlier run has produced as the outputs of a task."""
        self._tasks.add(task)
        artifacts, parameters = outputs
        self.artifacts.update({(task, key): artifact for key, artifact in artifacts.items()})
        self.parameters.update({(task, key): value for key, value in parameters.items()})

    def _published(self, key: str, artifact: dict[str, Any]) -> dict[str, Any]:
        """Returns an output as it is given to later tasks.

        `RecordArtifact`, metadata/client.go:1214, adds two properties; `ToRuntimeArtifact`,
        client.go:245, gives a type that is empty where it was not made from a schema, and an id
        for a name.
        """
        added = {"display_name": key, "store_session_info": _SESSION}
        metadata = {**added, **artifact.get("metadata", {})}
        return {
            "uri": artifact["uri"],
            "type": {"instanceSchema": ""},
            "name": self._cache.new_id(),
            "metadata": {name: _stored(value) for name, value in metadata.items()},
        }

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
