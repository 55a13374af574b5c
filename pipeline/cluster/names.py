"""Names that Argo, below Kubeflow Pipelines, takes.

TFX names tasks, components and executors by its nodes' ids, `Trainer.teacher`; Argo refers to a
task's outputs as `tasks.NAME.outputs`, so that a dot in a name cuts it in two.
"""

import re
from typing import Any

Spec = dict[str, Any]


def kebab(node: str) -> str:
    """Returns the name of a node's task, such as `trainer-teacher` for `Trainer.teacher`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", node)
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def executor(node: str) -> str:
    """Returns the name of a node's executor."""
    return f"exec-{kebab(node)}"


def renamed(spec: Spec) -> Spec:
    """Returns a specification with names that Argo takes, everywhere that a name is used.

    A task's `taskInfo.name` must be its key: Kubeflow's driver looks a producer up by it.

    Args:
      spec: a PipelineSpec as TFX compiles it; it is not changed.
    """
    components, executors = spec["components"], spec["deploymentSpec"]["executors"]
    tasks = spec["root"]["dag"]["tasks"]
    return {
        **spec,
        "components": {
            kebab(node): {**component, "executorLabel": executor(node)}
            for node, component in components.items()
        },
        "deploymentSpec": {
            **spec["deploymentSpec"],
            "executors": {
                executor(node): executors[component["executorLabel"]]
                for node, component in components.items()
            },
        },
        "root": {
            **spec["root"],
            "dag": {"tasks": {kebab(node): _task(node, task) for node, task in tasks.items()}},
        },
    }


def _task(node: str, task: Spec) -> Spec:
    changed = {**task, "taskInfo": {"name": kebab(node)}}
    changed["componentRef"] = {"name": kebab(task["componentRef"]["name"])}
    if "dependentTasks" in task:
        changed["dependentTasks"] = sorted(kebab(name) for name in task["dependentTasks"])
    if "inputs" in task:
        changed["inputs"] = {
            kind: {name: _source(source) for name, source in sources.items()}
            for kind, sources in task["inputs"].items()
        }
    return changed


def _source(source: Spec) -> Spec:
    """Renames the task that an input comes from, if it comes from one."""
    return {
        # Of a parameter, TFX 1.16 names a task `<id>_task`, which there is none of.
        kind: {**content, "producerTask": kebab(content["producerTask"].removesuffix("_task"))}
        if isinstance(content, dict) and "producerTask" in content
        else content
        for kind, content in source.items()
    }
