"""Kubeflow's launcher: a task's container, and what goes in and comes out.

The container sees the artifacts that it is given, at the launcher's local paths, the volume, and
nothing else of this machine.
"""

import json
import re
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_kubeflow.driver import OUTPUT_FILE, OUTPUTS
from local_kubeflow.errors import SpecError, TaskFailedError
from local_kubeflow.values import text

Spec = dict[str, Any]
USER = 10001
CONTAINER_ID = "cid"
_SCHEME = "minio://"
_SHOWN = 4000  # characters of what a container that fails has said last


@dataclass(frozen=True)
class Places:
    """Folders of this machine.

    Attributes:
      store: stands for the object store; `minio://bucket/key` is `bucket/key` in it.
      volume: the claim that every task mounts at /work.
      scratch: a folder a task, and in it one an attempt, with its staged artifacts, its log and
        its container's id.
    """

    store: Path
    volume: Path
    scratch: Path

    def attempt(self, task: str, number: int) -> Path:
        """Returns the folder of a task's attempt, which are numbered from 0."""
        return self.scratch / task / str(number)


def launch(
    name: str, container: Spec, executor_input: Spec, places: Places, retries: int = 0
) -> tuple[Spec, Spec]:
    """Runs a task.

    Args:
      name: the task's.
      container: its PipelineContainerSpec.
      executor_input: what the driver gave.
      places: this machine's folders.
      retries: how often it is started anew if its container fails, with nothing but the volume
        left of that one.

    Returns:
      The output artifacts and the output parameters, by key.

    Raises:
      TaskFailedError: the last container failed.
      SpecError: a placeholder or an address is not known, or an output parameter is missing.
    """
    for attempt in range(retries):
        with suppress(TaskFailedError):
            return _attempt(name, container, executor_input, places, attempt)
    return _attempt(name, container, executor_input, places, retries)


def _attempt(
    name: str, container: Spec, executor_input: Spec, places: Places, number: int
) -> tuple[Spec, Spec]:
    folder = places.attempt(name, number)
    mounts = {
        place: folder / place.strip("/").replace("/", "-")
        for place in ("/minio", str(Path(OUTPUT_FILE).parent), OUTPUTS)
    }
    for mount in mounts.values():
        mount.mkdir(parents=True)
    for artifact in _single(executor_input["inputs"]["artifacts"]).values():
        _copy(_place(places.store, artifact), _place(mounts["/minio"], artifact))
    outputs = executor_input["outputs"]
    for artifact in _single(outputs["artifacts"]).values():
        # The launcher makes the parent alone: the executor makes what it writes.
        _place(mounts["/minio"], artifact).parent.mkdir(parents=True, exist_ok=True)
    _own(folder)
    mounts["/work"] = places.volume
    _run(name, container, executor_input, mounts, folder)

    reported = _read(mounts[str(Path(OUTPUT_FILE).parent)] / Path(OUTPUT_FILE).name)
    parameters = dict(reported.get("parameterValues", {}))
    for key in set(outputs["parameters"]) - set(parameters):
        file = mounts[OUTPUTS] / key
        if not file.is_file():
            raise SpecError(f"{name}: failed to read output parameter {key!r}")
        parameters[key] = file.read_text()
    artifacts = _merged(_single(outputs["artifacts"]), _single(reported.get("artifacts", {})))
    for artifact in artifacts.values():
        _copy(_place(mounts["/minio"], artifact), _place(places.store, artifact))
    return artifacts, parameters


def _run(name: str, container: Spec, executor_input: Spec, mounts: dict[str, Path], folder: Path):
    command = [
        *("podman", "run", "--rm", "--pull=never", "--network=none", f"--user={USER}"),
        f"--cidfile={folder / CONTAINER_ID}",
        *("--read-only", "--read-only-tmpfs=false", "--tmpfs=/tmp", "--cap-drop=all"),
        *(f"--volume={folder}:{place}" for place, folder in mounts.items()),
        "--entrypoint=",
        replaced(container["image"], executor_input),
        *(
            replaced(word, executor_input)
            for word in (*container["command"], *container.get("args", []))
        ),
    ]
    log = folder / "log"
    with open(log, "w") as file:
        status = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT).returncode
    if status:
        said = log.read_text(errors="replace")[-_SHOWN:]
        raise TaskFailedError(f"{name}: its container ended with status {status}:\n{said}")


def replaced(word: str, executor_input: Spec) -> str:
    """Returns a word of the command with values in the place of its placeholders.

    Raises:
      SpecError: a placeholder is not known.
    """
    values = executor_input["inputs"]["parameterValues"]

    def value(found: re.Match) -> str:
        if not found[1]:
            return json.dumps(executor_input)
        parameter = re.fullmatch(r"\.inputs\.parameters\['(.+)'\]", found[1])
        if parameter is None or parameter[1] not in values:
            raise SpecError(f"a placeholder is not known: {found[0]}")
        return text(values[parameter[1]])

    return re.sub(r"\{\{\$(.*?)\}\}", value, word)


def _single(lists: Spec) -> Spec:
    """Returns the first artifact of each list: Kubeflow's launcher looks at no other."""
    return {key: listed["artifacts"][0] for key, listed in lists.items() if listed["artifacts"]}


def _merged(declared: Spec, reported: Spec) -> Spec:
    merged = {}
    for key, artifact in declared.items():
        said = reported.get(key, {})
        metadata = {**artifact["metadata"], **said.get("metadata", {})}
        merged[key] = {**artifact, "uri": said.get("uri", artifact["uri"]), "metadata": metadata}
    return merged


def _place(root: Path, artifact: Spec) -> Path | None:
    """Returns where an artifact lies below a folder; None if it is not the object store's."""
    uri = artifact["uri"]
    return root / uri.removeprefix(_SCHEME) if uri.startswith(_SCHEME) else None


def _copy(source: Path | None, target: Path | None) -> None:
    """Copies a file or a folder; an executor need not have written an output."""
    if source is None or target is None or not source.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)


def _read(file: Path) -> Spec:
    return json.loads(file.read_text()) if file.is_file() else {}


def _own(folder: Path) -> None:
    """Gives a folder to the container's user, which the launcher runs as, too."""
    subprocess.run(["chown", "--recursive", f"{USER}:{USER}", folder], check=True)
