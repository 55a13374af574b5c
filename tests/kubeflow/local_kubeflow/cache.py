"""Kubeflow's cache, and the ids that artifacts keep when it serves them."""

import hashlib
import itertools
import json
from collections.abc import Sequence
from typing import Any

Spec = dict[str, Any]
Outputs = tuple[Spec, Spec]


class Cache:
    """What tasks of earlier runs have produced, by their fingerprints."""

    def __init__(self):
        self._produced: dict[str, Outputs] = {}
        self._ids = itertools.count(1)

    def new_id(self) -> str:
        """Returns the id of an artifact that was produced just now."""
        return str(next(self._ids))

    def find(self, fingerprint: str) -> Outputs | None:
        """Returns the output artifacts, by key, and the output parameters, or None."""
        return self._produced.get(fingerprint)

    def keep(self, fingerprint: str, outputs: Outputs) -> None:
        """Keeps what a task has produced."""
        self._produced[fingerprint] = outputs


def fingerprint(
    container: Spec, component: Spec, executor_input: Spec, claims: Sequence[str]
) -> str:
    """Returns what Kubeflow's driver looks an execution up by (`cacheutils.GenerateCacheKey`).

    Args:
      container: the task's PipelineContainerSpec, its placeholders as they are.
      component: its ComponentSpec.
      executor_input: what the driver gives it; where outputs go is left out.
      claims: the names of its volumes' claims.
    """
    inputs, outputs = executor_input["inputs"], executor_input["outputs"]
    key = {
        "inputArtifactNames": {
            name: [artifact["name"] for artifact in listed["artifacts"]]
            for name, listed in inputs["artifacts"].items()
        },
        "inputParameterValues": inputs["parameterValues"],
        "outputArtifactsSpec": {
            name: {
                field: value for field, value in listed["artifacts"][0].items() if field != "uri"
            }
            for name, listed in outputs["artifacts"].items()
        },
        "outputParametersSpec": {
            name: parameter["parameterType"]
            for name, parameter in component.get("outputDefinitions", {})
            .get("parameters", {})
            .items()
        },
        "containerSpec": {
            "image": container["image"],
            "cmdArgs": [*container["command"], *container.get("args", [])],
            "pvcNames": list(claims),
        },
    }
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
