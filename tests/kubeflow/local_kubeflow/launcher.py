"""Kubeflow's launcher: a task's container, and what goes in and comes out.

A container sees the artifacts that it is given, at the launcher's local paths, the volume, and
nothing else of this machine.
"""

import json
import math
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local_kubeflow.driver import LOGS, OUTPUTS
from local_kubeflow.engines import Command, Engine
from local_kubeflow.errors import PodDeletedError, SpecError, TaskFailedError
from local_kubeflow.retries import Retries, attempted
from local_kubeflow.values import text

Spec = dict[str, Any]
_SCHEME = "minio://"
_DELETED = "deleted"
_WORD = 128 * 1024  # bytes that Linux takes in one argument (MAX_ARG_STRLEN)
_SHOWN = 4000  # characters of what a container that fails has said last


@dataclass(frozen=True)
class Places:
    """Folders of this machine.

    Attributes:
      store: stands for the object store; `minio://bucket/key` is `bucket/key` in it.
      volume: the claim that every task mounts at /work.
      scratch: a folder a task, and in it one an attempt, with its staged artifacts and its log.
      engine: what tasks run in.
    """

    store: Path
    volume: Path
    scratch: Path
    engine: Engine

    def attempt(self, task: str, number: int) -> Path:
        """Returns the folder of a task's attempt, which are numbered from 0."""
        return self.scratch / task / str(number)


def launch(
    name: str, container: Spec, executor_input: Spec, places: Places, retries: Retries
) -> tuple[Spec, Spec]:
    """Runs a task.

    Args:
      name: the task's.
      container: its PipelineContainerSpec.
      executor_input: what the driver gave.
      places: this machine's folders.
      retries: when it is started anew, with nothing but the volume left of the attempt before.

    Returns:
      The output artifacts and the output parameters, by key.

    Raises:
      TaskFailedError: the last container failed.
      SpecError: a placeholder or an address is not known, or an output parameter is missing.
    """
    return attempted(
        lambda number, left: _attempt(name, container, executor_input, places, number, left),
        retries,
    )


def delete_pod(places: Places, task: str, attempt: int) -> None:
    """Ends a container that is at work as one whose pod is deleted."""
    folder = places.attempt(task, attempt)
    (folder / _DELETED).touch()
    places.engine.kill(folder)


def _attempt(
    name: str,
    container: Spec,
    executor_input: Spec,
    places: Places,
    number: int,
    seconds: float,
) -> tuple[Spec, Spec]:
    folder = places.attempt(name, number)
    mounts = {
        place: folder / place.strip("/").replace("/", "-")
        for place in ("/minio", "/tmp/kfp_outputs", OUTPUTS)
    }
    for mount in mounts.values():
        mount.mkdir(parents=True)
    for artifact in _single(executor_input["inputs"]["artifacts"]).values():
        _copy(_place(places.store, artifact), _place(mounts["/minio"], artifact))
    outputs = executor_input["outputs"]
    for artifact in _single(outputs["artifacts"]).values():
        # The launcher makes the parent alone: the executor makes what it writes.
        _place(mounts["/minio"], artifact).parent.mkdir(parents=True, exist_ok=True)
    mounts["/work"] = places.volume
    try:
        _run(name, container, executor_input, mounts, folder, seconds, places.engine)
    finally:
        logs = outputs["artifacts"][LOGS]["artifacts"][0]
        _copy(folder / "log", _place(places.store, logs))

    reported = _read(_mounted(outputs["outputFile"], mounts))
    parameters = dict(reported.get("parameterValues", {}))
    for key in set(outputs["parameters"]) - set(parameters):
        file = mounts[OUTPUTS] / key
        if not file.is_file():
            raise SpecError(f"{name}: failed to read output parameter {key!r}")
        parameters[key] = file.read_text(encoding="utf-8")
    artifacts = _merged(_single(outputs["artifacts"]), _single(reported.get("artifacts", {})))
    for key, artifact in artifacts.items():
        if key != LOGS:
            _copy(_place(mounts["/minio"], artifact), _place(places.store, artifact))
    return artifacts, parameters


def _mounted(path: str, mounts: dict[str, Path]) -> Path:
    """Returns where a container's path is on this machine."""
    (place,) = [place for place in mounts if path.startswith(f"{place}/")]
    return mounts[place] / path.removeprefix(f"{place}/")


def _run(
    name: str,
    container: Spec,
    executor_input: Spec,
    mounts: dict[str, Path],
    folder: Path,
    seconds: float,
    engine: Engine,
) -> None:
    words = [
        replaced(word, executor_input)
        for word in (*container["command"], *container.get("args", []))
    ]
    if longest := [word for word in words if len(word.encode()) >= _WORD]:
        size = len(longest[0].encode())
        raise TaskFailedError(f"{name}: argument list too long: a word of {size} bytes")
    image = replaced(container["image"], executor_input)
    limit = None if math.isinf(seconds) else max(seconds, 0)
    status = engine.run(Command(image, words, mounts, folder, limit))
    if (folder / _DELETED).exists():
        raise PodDeletedError(f"{name}: pod deleted")
    if status:
        said = (folder / "log").read_text(errors="replace", encoding="utf-8")[-_SHOWN:]
        raise TaskFailedError(f"{name}: its container ended with status {status}:\n{said}")


def replaced(word: str, executor_input: Spec) -> str:
    """Returns a word of the command with values in the place of its placeholders.

    Raises:
      SpecError: a placeholder is not known.
    """
    values = executor_input["inputs"]["parameterValues"]

    def value(found: re.Match) -> str:
        if not found[1]:
            return json.dumps(_without_empty(executor_input))
        parameter = re.fullmatch(r"\.inputs\.parameters\['(.+)'\]", found[1])
        if parameter is None or parameter[1] not in values:
            raise SpecError(f"a placeholder is not known: {found[0]}")
        return text(values[parameter[1]])

    return re.sub(r"\{\{\$(.*?)\}\}", value, word)


def _without_empty(message: Any) -> Any:
    """Returns a message as protojson writes it, which leaves empty maps out."""
    match message:
        case dict():
            fields = {key: _without_empty(value) for key, value in message.items()}
            return {key: value for key, value in fields.items() if value != {}}
        case list():
            return [_without_empty(item) for item in message]
    return message


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
    """Copies a file, or the files of a folder.

    A store has no folders. An executor need not have written an output; of an input that is gone
    from the store, nothing is copied, without an error (`DownloadBlob`,
    objectstore/object_store.go).
    """
    if source is None or target is None or not source.exists():
        return
    for file in source.rglob("*") if source.is_dir() else [source]:
        if file.is_file():
            copy = target / file.relative_to(source) if source.is_dir() else target
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)


def _read(file: Path) -> Spec:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
