"""A rollback in the cluster: a pipeline of one task, on the volume that another one pushed to."""

from collections.abc import Mapping
from typing import Any

import yaml

from kd_trainer.errors import ConfigError

_TASK, _PUSHER = "rollback", "pusher"
_PARAMETERS = ("reason", "image")
# What it leaves, another user of the group may write.
_COMMAND = 'umask 002 && exec python -m pipeline.cli "$0" "$@"'


def document(name: str, stored: Mapping[str, Any], last: bool) -> str:
    """Returns the pipeline in YAML, the platform's part after it.

    Its pod has the image, the volume and the secrets of the pusher of the pipeline that pushed.

    Args:
      name: of the pipeline that pushed.
      stored: a version of that, as the server tells it.
      last: withdraw the version even if it is the only one.

    Raises:
      ConfigError: the pipeline is none of ours, or one that pushes nothing.
    """
    try:
        spec, platform = stored["pipeline_spec"], stored["platform_spec"]
        task = spec["root"]["dag"]["tasks"][_PUSHER]
        directory = task["inputs"]["parameters"]["push_directory"]["runtimeValue"]["constant"]
        image = spec["root"]["inputDefinitions"]["parameters"]["image"]["defaultValue"]
        pod = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-pusher"]
        container = spec["deploymentSpec"]["executors"]["exec-pusher"]["container"]
    except KeyError as error:
        raise ConfigError(
            f"The pipeline {name!r} on the server has no task {_PUSHER!r} that says where it "
            f"pushes (lacking: {error}): expected one that `tfx-distill kubeflow compile` made, "
            "and no comparison without compare.push_best."
        ) from error
    words = ["rollback", "--directory", directory, "--reason", _given("reason")]
    executor = {
        "container": {
            "image": _given("image"),
            "command": ["sh", "-c", _COMMAND],
            "args": [*words, *["--last"] * last],
            "resources": container["resources"],
        }
    }
    inputs = {key: {"parameterType": "STRING"} for key in _PARAMETERS}
    pipeline = {
        "pipelineInfo": {"name": f"{name}-rollback"},
        "schemaVersion": "2.1.0",
        "sdkVersion": "tfx-distill",
        "components": {
            _TASK: {"executorLabel": "exec-rollback", "inputDefinitions": {"parameters": inputs}}
        },
        "deploymentSpec": {"executors": {"exec-rollback": executor}},
        "root": {
            "inputDefinitions": {
                "parameters": {
                    "reason": {"parameterType": "STRING", "defaultValue": ""},
                    "image": {"parameterType": "STRING", "defaultValue": image},
                }
            },
            "dag": {
                "tasks": {
                    _TASK: {
                        "taskInfo": {"name": _TASK},
                        "componentRef": {"name": _TASK},
                        "cachingOptions": {},
                        "inputs": {
                            "parameters": {
                                key: {"componentInputParameter": key} for key in _PARAMETERS
                            }
                        },
                    }
                }
            },
        },
    }
    executors = {"exec-rollback": pod}
    platforms = {"kubernetes": {"deploymentSpec": {"executors": executors}}}
    return yaml.safe_dump_all([pipeline, {"platforms": platforms}], sort_keys=True)


def _given(parameter: str) -> str:
    return f"{{{{$.inputs.parameters['{parameter}']}}}}"
