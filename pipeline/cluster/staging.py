"""A task's inputs, arguments and outputs in a folder that the pods of its Job see.

Kubeflow's launcher lays artifacts into the task's own pod alone.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.cluster.executor import INPUT

_ARGUMENTS = "arguments.json"


def stage(arguments: list[str], folder: Path) -> None:
    """Copies what an executor reads, and its arguments.

    Args:
      arguments: the executor's, with local paths.
      folder: a folder that is not there.
    """
    place = arguments.index(INPUT) + 1
    executor_input = json.loads(arguments[place])
    folder.mkdir(parents=True)
    for number, artifact in enumerate(_artifacts(executor_input.get("inputs", {}))):
        target = folder / "inputs" / str(number)
        _copy(Path(artifact["uri"]), target)
        artifact["uri"] = str(target)
    _place_outputs(executor_input, folder)
    staged = [*arguments[:place], json.dumps(executor_input), *arguments[place + 1 :]]
    (folder / _ARGUMENTS).write_text(json.dumps(staged), encoding="utf-8")


def arguments(folder: Path, outputs: Path | None = None) -> list[str]:
    """Returns the arguments that were staged.

    Args:
      folder: the folder.
      outputs: where the outputs go instead of into the folder.
    """
    staged = json.loads((folder / _ARGUMENTS).read_text(encoding="utf-8"))
    if outputs is not None:
        place = staged.index(INPUT) + 1
        executor_input = json.loads(staged[place])
        _place_outputs(executor_input, outputs)
        staged[place] = json.dumps(executor_input)
    return staged


def collect(arguments: list[str], folder: Path) -> None:
    """Copies the outputs, and what the executor reported of them, where the task has them.

    Args:
      arguments: as `stage` was given them.
      folder: the folder.
    """
    executor_input = json.loads(arguments[arguments.index(INPUT) + 1])
    wanted = [artifact["uri"] for artifact in _artifacts(executor_input["outputs"])]
    _place_outputs(executor_input, folder)
    staged = [artifact["uri"] for artifact in _artifacts(executor_input["outputs"])]
    places = dict(zip(staged, wanted, strict=True))
    for source, target in places.items():
        if Path(source).exists():
            _copy(Path(source), Path(target))
    reported = json.loads(Path(executor_input["outputs"]["outputFile"]).read_text(encoding="utf-8"))
    for artifact in _artifacts(reported):
        artifact["uri"] = places[artifact["uri"]]
    output_file = Path(json.loads(arguments[arguments.index(INPUT) + 1])["outputs"]["outputFile"])
    output_file.parent.mkdir(parents=True, exist_ok=True)
    output_file.write_text(json.dumps(reported), encoding="utf-8")


def _place_outputs(executor_input: dict[str, Any], folder: Path) -> None:
    outputs = executor_input["outputs"]
    for number, artifact in enumerate(_artifacts(outputs)):
        artifact["uri"] = str(folder / "outputs" / str(number))
    outputs["outputFile"] = str(folder / "reported" / "output_metadata.json")


def _artifacts(part: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for _, listed in sorted(part.get("artifacts", {}).items()):
        yield from listed.get("artifacts", [])


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    else:
        shutil.copyfile(source, target)
