"""What a task's container runs: TFX's own entry point, on the launcher's local paths.

    python -m pipeline.cluster.entrypoint --executor_class_path CLASS \
        --json_serialized_invocation_args EXECUTOR_INPUT \
        --json_serialized_inputs_spec_args INPUTS_SPEC

Kubeflow gives an ExecutorInput that TFX cannot read: its input artifacts have no type, and some of
its outputs are Kubeflow's own. The executor gets the types and outputs that its component declares,
and local paths; what it reports of its outputs names the object store again. Where Beam's workers
are outside of the pod, its executors get the addresses as they are.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from components.provenance import STORE_ID
from kd_trainer.errors import ConfigError, UserError
from pipeline import beam
from pipeline.cluster import executor, job, views, volume
from pipeline.cluster.local_paths import WORKDIR, check_shared, to_local
from pipeline.cluster.settings import KubeflowConfig

WORKERS = "--workers"
"""The option of a training on several machines: the cluster's settings in JSON."""

_EXECUTOR = "--executor_class_path"
_LOGS = "executor-logs"

EMPTY = ".empty"
"""The file that stands in an output without any: a store of objects keeps no empty folder."""


def main(arguments: Sequence[str]) -> int:
    """Runs an executor.

    Args:
      arguments: as Kubeflow's launcher gives them, an ExecutorInput in JSON among them.

    Returns:
      The exit status: 0, or 2 for what the user can mend. Any other error is raised.
    """
    arguments = list(arguments)
    place = arguments.index(executor.INPUT) + 1
    executor_input = json.loads(arguments[place])
    inputs_spec = json.loads(arguments[arguments.index(executor.INPUTS_SPEC) + 1])
    try:
        volume.check_locks(WORKDIR)
        shown = _keep_declared(executor_input, inputs_spec)
        addresses = _localise(executor_input, shown)
        _check_inputs(executor_input, addresses)
        if beam.is_remote(arguments) and _is_beams(arguments):
            addresses = _share(executor_input, addresses)
        arguments[place] = json.dumps(executor_input)
        _run(arguments, executor_input)
    except UserError as error:
        print(f"tfx-distill: {error}", file=sys.stderr)
        return 2
    _mark_empty(executor_input)
    _report(Path(executor_input["outputs"]["outputFile"]), addresses, shown)
    return 0


def _is_beams(arguments: list[str]) -> bool:
    from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
    from tfx.utils import import_utils

    path = arguments[arguments.index(_EXECUTOR) + 1]
    return issubclass(import_utils.import_class_by_path(path), BaseBeamExecutor)


def _run(arguments: list[str], executor_input: Mapping[str, Any]) -> None:
    if WORKERS not in arguments:
        executor.run(arguments)
        return
    place = arguments.index(WORKERS)
    settings = KubeflowConfig.model_validate_json(arguments[place + 1])
    own = arguments[:place] + arguments[place + 2 :]
    job.run(own, settings, executor_input["inputs"]["parameterValues"]["image"])


def _keep_declared(
    executor_input: dict[str, Any], inputs_spec: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Gives inputs the types that the component declares, and takes away others' outputs.

    Returns:
      Those that the entry point makes, by key.

    Kubeflow types an input by its metadata store, where TFX's types are empty
    (`ToRuntimeArtifact` in `backend/src/v2/metadata/client.go`), and adds an output for logs
    (`provisionOutputs` in `backend/src/v2/driver/driver.go`). TFX's types have an instanceSchema,
    Kubeflow's own a schemaTitle.
    """
    declared = inputs_spec.get("artifacts", {})
    for key, artifact in _artifacts(executor_input.get("inputs", {})):
        artifact["type"] = declared[key]["artifactType"]
        # TFX makes a hash of the name, which is the id in Kubeflow's metadata store.
        artifact.setdefault("metadata", {})[STORE_ID] = artifact["name"]
    outputs = executor_input["outputs"].get("artifacts", {})
    shown = {}
    for key, artifact in list(_artifacts(executor_input["outputs"])):
        if "instanceSchema" not in artifact["type"]:
            del outputs[key]
            if key != _LOGS:
                shown[key] = artifact
    return shown


def _localise(
    executor_input: dict[str, Any], shown: Mapping[str, dict[str, Any]]
) -> dict[str, str]:
    """Puts local paths in the place of addresses, and returns which stands for which."""
    addresses = {}
    for _, artifact in chain(_both(executor_input), shown.items()):
        uri = artifact["uri"]
        artifact["uri"] = to_local(uri)
        addresses[artifact["uri"]] = uri
    return addresses


def _share(executor_input: dict[str, Any], addresses: Mapping[str, str]) -> dict[str, str]:
    """Puts the addresses back, for workers that do not see this pod's local paths.

    The launcher passes over a local path where nothing is (`uploadOutputArtifacts` in
    `backend/src/v2/component/launcher_v2.go`).
    """
    for _, artifact in _both(executor_input):
        artifact["uri"] = addresses[artifact["uri"]]
        check_shared(artifact["uri"])
    return {**addresses, **{uri: uri for uri in addresses.values()}}


def _check_inputs(executor_input: Mapping[str, Any], addresses: Mapping[str, str]) -> None:
    """Refuses an input that is gone: the launcher makes an empty folder of it, and no error."""
    for key, artifact in _artifacts(executor_input.get("inputs", {})):
        path = Path(artifact["uri"])
        if not path.exists() or (path.is_dir() and not any(path.iterdir())):
            raise ConfigError(
                f"The artifact {addresses[artifact['uri']]}, this task's input {key!r}, is gone "
                "from the store, and Kubeflow's cache still serves the task that made it. Expected "
                "the files of it. Give --parameter cache_salt=TEXT, a text that no run had before, "
                "to make all artifacts anew, and keep the store's lifecycle rules away from them."
            )


def _mark_empty(executor_input: Mapping[str, Any]) -> None:
    from tfx.dsl.io import fileio
    from tfx.utils import io_utils

    for _, artifact in _artifacts(executor_input["outputs"]):
        uri = artifact["uri"]
        if not fileio.exists(uri) or (fileio.isdir(uri) and not fileio.listdir(uri)):
            io_utils.write_string_file(f"{uri}/{EMPTY}", "")


def _report(
    output_file: Path, addresses: Mapping[str, str], shown: Mapping[str, dict[str, Any]]
) -> None:
    """Adds what the entry point makes to what TFX reported, and names the store again."""
    output = json.loads(output_file.read_text(encoding="utf-8"))
    if shown:
        ((_, written),) = _artifacts(output)
        for key, artifact in views.made(shown, written, Path(written["uri"])).items():
            output["artifacts"][key] = {"artifacts": [artifact]}
    for _, artifact in _artifacts(output):
        artifact["uri"] = addresses[artifact["uri"]]
    output_file.write_text(json.dumps(output), encoding="utf-8")


def _both(executor_input: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Returns the artifacts that come in and go out."""
    return chain(
        _artifacts(executor_input.get("inputs", {})), _artifacts(executor_input["outputs"])
    )


def _artifacts(part: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, listed in part.get("artifacts", {}).items():
        for artifact in listed.get("artifacts", []):
            yield key, artifact


if __name__ == "__main__":
    # A later task may run as another user of the same group, where the cluster sets the user.
    os.umask(0o002)
    sys.exit(main(sys.argv[1:]))
