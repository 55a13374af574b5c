"""Argo's controller, as far as Kubeflow's workflows ask for it: DAGs of pods, one at a time.

It follows `workflow/controller` of argoproj/argo-workflows 4.0.5 in what is taken for a tag
(`util/template`), how inputs get their values (`common.ProcessArgs`) and when a task is due
(`dag.go`). A workflow that asks for more is refused.
"""

import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

Spec = dict[str, Any]
Values = Mapping[str, str]
RunPod = Callable[[str, Spec, Values], Mapping[str, str]]
"""Runs a template's containers as a pod.

Args:
  name: the node's, those of the tasks that it is part of before its own.
  template: of the workflow, with its tags replaced.
  paths: files that the pod may write, by output parameter.

Returns:
  What was written, by output parameter.
"""

_TAG = re.compile(r"\{\{((?:workflow|inputs|outputs|tasks)\.[\w.-]+|retries)\}\}")


class WorkflowError(Exception):
    """The workflow asks for what is not known here."""


def run(workflow: Spec, run_pod: RunPod) -> None:
    """Runs a workflow until its end.

    Args:
      workflow: a Workflow of Argo.
      run_pod: runs a pod, and raises an error if it fails.

    Raises:
      WorkflowError: the workflow asks for what is not known here.
    """
    spec = workflow["spec"]
    values = {
        f"workflow.parameters.{parameter['name']}": parameter["value"]
        for parameter in spec["arguments"]["parameters"]
    }
    values |= {
        "workflow.uid": str(uuid.uuid4()),
        "workflow.name": workflow["metadata"]["generateName"] + "1",
        "workflow.creationTimestamp": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "retries": "0",
    }
    templates = {template["name"]: template for template in spec["templates"]}
    _Run(templates, values, run_pod).template(values["workflow.name"], spec["entrypoint"], {})


class _Run:
    def __init__(self, templates: Mapping[str, Spec], values: Values, run_pod: RunPod):
        self._templates, self._values, self._run_pod = templates, values, run_pod

    def template(self, node: str, name: str, arguments: Values) -> Values:
        """Runs a template; returns its output parameters."""
        template = self._templates[name]
        values = {**self._values, **_inputs(template, arguments)}
        if "dag" in template:
            self._dag(node, template["dag"]["tasks"], values)
            return {}
        declared = template.get("outputs", {}).get("parameters", [])
        paths = {output["name"]: output["valueFrom"]["path"] for output in declared}
        values |= {f"outputs.parameters.{key}.path": path for key, path in paths.items()}
        written = self._run_pod(node, _replaced(template, values), paths)
        defaults = {
            output["name"]: output["valueFrom"]["default"]
            for output in declared
            if "default" in output["valueFrom"]
        }
        return {**defaults, **written}

    def _dag(self, node: str, tasks: list[Spec], values: Values) -> None:
        for task in _in_order(tasks):
            name = task["name"]
            task = _replaced(task, values)
            if not _holds(task.get("when", "")):
                raise WorkflowError(f"{name}: would be skipped: {task['when']}")
            given = task.get("arguments", {}).get("parameters", [])
            arguments = {parameter["name"]: parameter["value"] for parameter in given}
            outputs = self.template(f"{node}.{name}", task["template"], arguments)
            values = {
                **values,
                **{f"tasks.{name}.outputs.parameters.{key}": text for key, text in outputs.items()},
            }


def _in_order(tasks: list[Spec]) -> Iterator[Spec]:
    """Yields tasks, each after those that it depends on."""
    left, succeeded = list(tasks), set()
    while left:
        due = [task for task in left if _depends(task) <= succeeded]
        if not due:
            raise WorkflowError(f"never due: {[task['name'] for task in left]}")
        for task in due:
            yield task
            succeeded.add(task["name"])
            left.remove(task)


def _depends(task: Spec) -> set[str]:
    terms = task["depends"].split(" && ") if task.get("depends") else []
    for term in terms:
        if not term.endswith(".Succeeded"):
            raise WorkflowError(f"{task['name']}: depends is not known: {task['depends']}")
    return {term.removesuffix(".Succeeded") for term in terms}


def _holds(when: str) -> bool:
    if not when:
        return True
    terms = when.split(" != ")
    if len(terms) != 2:
        raise WorkflowError(f"when is not known: {when}")
    return terms[0] != terms[1]


def _inputs(template: Spec, arguments: Values) -> Values:
    values = {}
    for parameter in template.get("inputs", {}).get("parameters", []):
        name = parameter["name"]
        if name not in arguments and "default" not in parameter:
            raise WorkflowError(f"{template['name']}: the input {name!r} was not supplied")
        values[f"inputs.parameters.{name}"] = arguments.get(name, parameter.get("default"))
    return values


def _replaced(value: Any, values: Values) -> Any:
    match value:
        case str():
            return _TAG.sub(lambda found: values.get(found[1], found[0]), value)
        case list():
            return [_replaced(item, values) for item in value]
        case dict():
            return {key: _replaced(item, values) for key, item in value.items()}
    return value
