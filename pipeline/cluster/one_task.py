"""A pipeline of one task that runs a module of ours, and is not served from the cache."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml


def document(
    name: str,
    task: str,
    *,
    image: str,
    module: str,
    arguments: Sequence[str],
    resources: Mapping[str, Any],
    pod: Mapping[str, Any],
    parameters: Mapping[str, str],
) -> str:
    """Returns the pipeline in YAML, the platform's part after it.

    Args:
      name: the pipeline's.
      task: the task's.
      image: the container image.
      module: what Python runs in it.
      arguments: the module's, one at least.
      resources: what the container asks of its node.
      pod: what Kubeflow's Kubernetes platform is told of the pod.
      parameters: the pipeline's, with their defaults; `given` puts one in.
    """
    inputs = {key: {"parameterType": "STRING"} for key in parameters}
    # What it leaves, another user of the group may write.
    command = f'umask 002 && exec python -m {module} "$0" "$@"'
    executor = {
        "container": {
            "image": image,
            "command": ["sh", "-c", command],
            "args": list(arguments),
            "resources": dict(resources),
        }
    }
    label = f"exec-{task}"
    pipeline = {
        "pipelineInfo": {"name": name},
        "schemaVersion": "2.1.0",
        "sdkVersion": "tfx-distill",
        "components": {
            task: {"executorLabel": label, "inputDefinitions": {"parameters": inputs}},
        },
        "deploymentSpec": {"executors": {label: executor}},
        "root": {
            "inputDefinitions": {
                "parameters": {
                    key: {"parameterType": "STRING", "defaultValue": default}
                    for key, default in parameters.items()
                }
            },
            "dag": {
                "tasks": {
                    task: {
                        "taskInfo": {"name": task},
                        "componentRef": {"name": task},
                        "cachingOptions": {},
                        "inputs": {
                            "parameters": {
                                key: {"componentInputParameter": key} for key in parameters
                            }
                        },
                    }
                }
            },
        },
    }
    platforms = {"kubernetes": {"deploymentSpec": {"executors": {label: dict(pod)}}}}
    return yaml.safe_dump_all([pipeline, {"platforms": platforms}], sort_keys=True)


def given(parameter: str) -> str:
    """Returns what stands for a parameter of the pipeline in the container's words."""
    return f"{{{{$.inputs.parameters['{parameter}']}}}}"
