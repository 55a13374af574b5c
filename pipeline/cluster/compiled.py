"""A compiled pipeline: what a client must know of it before it sends it to a cluster."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from kd_trainer.errors import ConfigError, nearest

# The Python types that a parameter's JSON value may have, by the specification's parameterType.
_TYPES: dict[str, tuple[type, ...]] = {
    "STRING": (str,),
    "NUMBER_INTEGER": (int,),
    "NUMBER_DOUBLE": (int, float),
    "BOOLEAN": (bool,),
    "LIST": (list,),
    "STRUCT": (dict,),
}


@dataclass(frozen=True)
class CompiledPipeline:
    """A compiled pipeline.

    Attributes:
      path: the file, YAML.
      name: the pipeline's.
      version: a name that the content gives: the same content, whatever its comments and order of
        keys, has the same.
      tasks: the names of its tasks.
      parameters: what it takes, as the specification's inputDefinitions have it.
      root: the address below which its artifacts go, or None for the cluster's own.
    """

    path: Path
    name: str
    version: str
    tasks: frozenset[str]
    parameters: Mapping[str, Mapping[str, Any]]
    root: str | None

    def arguments(self, assignments: Sequence[str]) -> dict[str, Any]:
        """Returns the values of a run's parameters.

        Args:
          assignments: `key=value` each, the value as it is for a text, else in JSON.

        Raises:
          ConfigError: the pipeline has no such parameter, a value is not of its type, or a
            parameter that has no default is missing.
        """
        values = {}
        for assignment in assignments:
            key, equals, text = assignment.partition("=")
            if not equals:
                raise ConfigError(f"--parameter {assignment!r}: expected KEY=VALUE.")
            values[key] = self._value(key, text)
        missing = [
            key
            for key, parameter in self.parameters.items()
            if key not in values
            and "defaultValue" not in parameter
            and not parameter.get("isOptional")
        ]
        if missing:
            raise ConfigError(
                f"The pipeline {self.name!r} needs a value for {', '.join(sorted(missing))}: give "
                f"--parameter {sorted(missing)[0]}=VALUE."
            )
        return values

    def _value(self, key: str, text: str) -> Any:
        if key not in self.parameters:
            known = list(self.parameters)
            hint = nearest(key, known) if known else "It has none."
            raise ConfigError(f"The pipeline {self.name!r} has no parameter {key!r}. {hint}")
        kind = self.parameters[key]["parameterType"]
        if kind == "STRING":
            return text
        try:
            value = json.loads(text, parse_constant=_refuse)
        except ValueError:
            value = None
        if type(value) not in _TYPES[kind]:
            raise ConfigError(f"--parameter {key}: found {text!r}, expected a {kind} in JSON.")
        return value


def read(path: Path) -> CompiledPipeline:
    """Reads a compiled pipeline.

    Args:
      path: a PipelineSpec in YAML; a second document is its platform specification.

    Raises:
      ConfigError: there is no such file, or it is something else.
    """
    # Kubeflow knows a file's format by its name.
    if path.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"--spec: found {str(path)!r}, expected a name that ends in .yaml.")
    try:
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"--spec: {path} cannot be read: {error.strerror}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"--spec: {path} is not YAML: {error}") from error
    try:
        spec, *_ = documents
        name, root = spec["pipelineInfo"]["name"], spec["root"]
        tasks = frozenset(root["dag"]["tasks"])
        version = spec["schemaVersion"]
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"--spec: {path} is not a compiled pipeline: expected a PipelineSpec with "
            "pipelineInfo, schemaVersion and root."
        ) from error
    if version != "2.1.0":
        raise ConfigError(
            f"--spec: {path} has schemaVersion {version!r}. Kubeflow Pipelines 2 takes 2.1.0 alone."
        )
    content = json.dumps(documents, sort_keys=True, default=str)
    digest = hashlib.sha256(content.encode()).hexdigest()[:12]
    return CompiledPipeline(
        path=path,
        name=name,
        version=f"{name}-{digest}",
        tasks=tasks,
        parameters=root.get("inputDefinitions", {}).get("parameters", {}),
        root=spec.get("defaultPipelineRoot"),
    )


def _refuse(constant: str) -> None:
    raise ValueError(f"JSON has no {constant}")
