"""Kubeflow's driver: what a task is given, and where its outputs go."""

import uuid
from collections.abc import Mapping
from typing import Any

from local_kubeflow.backend import Backend
from local_kubeflow.errors import SpecError
from local_kubeflow.records import Records
from local_kubeflow.values import typed

Spec = dict[str, Any]
OUTPUTS = "/tmp/kfp/outputs"
OUTPUT_FILE = "output_metadata.json"
LOGS = "executor-logs"


def executor_input(
    component: Spec,
    task: Spec,
    records: Records,
    arguments: Mapping[str, Any],
    root: str,
    backend: Backend,
) -> Spec:
    """Returns a task's ExecutorInput.

    Args:
      component: the task's ComponentSpec.
      task: its PipelineTaskSpec.
      records: what the tasks before it have produced.
      arguments: the values of the pipeline's parameters.
      root: the address in the object store below which the run's outputs go.
      backend: the release.

    Raises:
      SpecError: an input cannot be resolved, is missing or of a wrong type.
    """
    inputs, declared = task.get("inputs", {}), component.get("inputDefinitions", {})
    given = {
        key: _parameter(source, records, arguments)
        for key, source in inputs.get("parameters", {}).items()
    }
    values = {}
    for key, parameter in declared.get("parameters", {}).items():
        if key in given or not parameter.get("isOptional"):
            value = given[key] if key in given else _default(key, parameter)
            values[key] = typed(key, value, parameter["parameterType"])
    if unknown := set(given) - set(values):
        raise SpecError(f"the component declares no input parameters {sorted(unknown)}")
    artifacts = {
        key: {"artifacts": [_artifact(source, records)]}
        for key, source in inputs.get("artifacts", {}).items()
    }
    return {
        "inputs": {"parameterValues": values, "artifacts": artifacts},
        "outputs": _outputs(
            component, f"{root}/{task['taskInfo']['name']}/{uuid.uuid4()}", backend
        ),
    }


def _default(key: str, parameter: Spec) -> Any:
    if "defaultValue" not in parameter:
        raise SpecError(f"neither value nor default value provided for parameter {key!r}")
    return parameter["defaultValue"]


def _parameter(source: Spec, records: Records, arguments: Mapping[str, Any]) -> Any:
    match source:
        case {"runtimeValue": {"constant": value}}:
            return value
        case {"componentInputParameter": name} if name in arguments:
            return arguments[name]
        case {"taskOutputParameter": {"producerTask": task, "outputParameterKey": key}}:
            return records.parameter(task, key)
    raise SpecError(f"a parameter's source is not known: {source}")


def _artifact(source: Spec, records: Records) -> Spec:
    match source:
        case {"taskOutputArtifact": {"producerTask": task, "outputArtifactKey": key}}:
            return records.artifact(task, key)
    raise SpecError(f"an artifact's source is not known: {source}")


def _outputs(component: Spec, root: str, backend: Backend) -> Spec:
    """Returns where outputs go, as `provisionOutputs` does, driver/driver.go:747."""
    declared = component.get("outputDefinitions", {})
    logs = {LOGS: {"artifactType": {"schemaTitle": "system.Artifact"}}}
    artifacts = {
        key: {
            "artifacts": [
                {
                    **({"name": key} if backend.names_outputs else {}),
                    "uri": f"{root}/{key}",
                    "type": artifact["artifactType"],
                    "metadata": artifact.get("metadata", {}),
                }
            ]
        }
        for key, artifact in {**declared.get("artifacts", {}), **logs}.items()
    }
    files = {key: {"outputFile": f"{OUTPUTS}/{key}"} for key in declared.get("parameters", {})}
    folder = local_path(root) if backend.output_file_below_root else "/tmp/kfp_outputs"
    return {
        "artifacts": artifacts,
        "parameters": files,
        "outputFile": f"{folder}/{OUTPUT_FILE}",
    }


def local_path(uri: str) -> str:
    """Returns where an artifact lies in a container (`LocalPathForURI`, launcher_v2.go:1239)."""
    return uri.replace("minio://", "/minio/", 1)


def imported(importer: Spec, component: Spec, arguments: Mapping[str, Any]) -> Spec:
    """Returns the artifact that an importer brings in, by its output's key.

    Raises:
      SpecError: it has not one output, or its address is not a constant or a parameter.
    """
    keys = list(component["outputDefinitions"]["artifacts"])
    if len(keys) != 1:
        raise SpecError(f"an importer has one output, found {keys}")
    match importer["artifactUri"]:
        case {"constant": uri}:
            pass
        case {"runtimeParameter": name} if name in arguments:
            uri = arguments[name]
        case other:
            raise SpecError(f"an importer's address is not known: {other}")
    artifact = {"uri": uri, "type": importer["typeSchema"]}
    return {keys[0]: {**artifact, "metadata": importer.get("metadata", {})}}
