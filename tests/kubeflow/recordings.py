"""What releases of Kubeflow gave the tasks of the preset `quick`, as it was recorded.

A recording is a file in `recorded/`. That of a release comes from `make kubeflow-backend-test
RECORD=--record`, which builds the release's own driver; that of a cluster from `make
cluster-check`. `test_backends.py` holds `local_kubeflow` against all that lie there.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

Spec = dict[str, Any]
FOLDER = Path(__file__).parent / "recorded"
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@dataclass(frozen=True)
class Recording:
    """What a run's tasks were given.

    Attributes:
      release: of Kubeflow Pipelines.
      executor_inputs: as the driver made them, by task.
      logs: what the tasks' containers said; empty of a release's recording.
      phases: how the pods ended, as Kubernetes says it; empty of a release's recording.
    """

    release: str
    executor_inputs: Mapping[str, Spec]
    logs: Mapping[str, str] = field(default_factory=dict)
    phases: Mapping[str, str] = field(default_factory=dict)

    def write(self, file: Path) -> None:
        """Writes it as JSON."""
        file.write_text(json.dumps(asdict(self), indent=1, sort_keys=True) + "\n", encoding="utf-8")

    @property
    def shapes(self) -> dict[str, Any]:
        """The ExecutorInputs without what differs between runs."""
        return {task: shape(given) for task, given in self.executor_inputs.items()}


def read(file: Path) -> Recording:
    """Reads what `Recording.write` has written."""
    return Recording(**json.loads(file.read_text(encoding="utf-8")))


def executor_input(command: Sequence[str]) -> Spec | None:
    """Returns the ExecutorInput in a launcher's command; None of another command."""
    words = list(command)
    if "--executor_input" not in words:
        return None
    return json.loads(words[words.index("--executor_input") + 1])


def shape(value: Any) -> Any:
    """Returns a value of an ExecutorInput without what differs between runs.

    Fields and their types stay, and of an address what comes after the run's root.
    """
    match value:
        case dict():
            return {key: shape(item) for key, item in value.items()}
        case list():
            return [shape(item) for item in value]
        case str() if found := re.search(rf"([\w-]+/){_UUID}/([\w.-]+)$", value):
            return f"ROOT/{found[1]}UUID/{found[2]}"
        case bool() | None:
            return value
        case int() | float():
            return "number"
    return "text"
