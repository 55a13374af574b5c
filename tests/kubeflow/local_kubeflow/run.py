"""A run: every task, as soon as the tasks that it depends on have ended."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter
from typing import Any, NamedTuple

from local_kubeflow import driver
from local_kubeflow.backend import BACKENDS, Backend
from local_kubeflow.cache import Cache, fingerprint
from local_kubeflow.errors import SpecError
from local_kubeflow.launcher import Places, launch
from local_kubeflow.records import Records
from local_kubeflow.retries import of_task

Spec = dict[str, Any]
_KNOWN = {"taskInfo", "componentRef", "dependentTasks", "inputs", "cachingOptions", "retryPolicy"}
_AT_ONCE = 2


def run(
    spec: Spec,
    places: Places,
    root: str,
    parameters: Mapping[str, Any],
    cache: Cache | None = None,
    backend: Backend = BACKENDS["2.17"],
    claims: Sequence[str] = (),
) -> Records:
    """Runs a compiled pipeline.

    Args:
      spec: a PipelineSpec, schema 2.1.0.
      places: this machine's folders.
      root: the run's address in the object store, `minio://bucket/...`.
      parameters: values of the pipeline's parameters that differ from their defaults.
      cache: what earlier runs have produced, and this one adds to; None is an empty one.
      backend: the release.
      claims: the names of the volumes' claims that every task mounts.

    Returns:
      What the tasks produced.

    Raises:
      SpecError: Kubeflow would refuse the specification.
      TaskFailedError: a task failed; no task is started after it.
    """
    tasks = spec["root"]["dag"]["tasks"]
    _check(tasks)
    declared = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    defaults = {k: each["defaultValue"] for k, each in declared.items() if "defaultValue" in each}
    arguments = {**defaults, **parameters}
    cache = cache or Cache()
    records = Records(cache)
    order = TopologicalSorter(
        {name: task.get("dependentTasks", ()) for name, task in tasks.items()}
    )
    order.prepare()
    running: dict[Future, Task] = {}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        while order.is_active():
            for name in order.get_ready():
                task = _prepared(spec, name, records, arguments, root, backend, claims)
                if found := cache.find(task.fingerprint):
                    records.served(name, found)
                    order.done(name)
                else:
                    running[pool.submit(task.start, places)] = task
            ended, _ = wait(running, return_when=FIRST_COMPLETED) if running else ((), ())
            for future in ended:
                task = running.pop(future)
                outputs = records.produced(task.name, *future.result())
                if task.fingerprint:
                    cache.keep(task.fingerprint, outputs)
                order.done(task.name)
    return records


class Task(NamedTuple):
    """A task whose inputs are resolved.

    Attributes:
      name: its name.
      fingerprint: what the cache knows it by; empty where the task does not allow it.
      start: runs it, and returns its outputs.
    """

    name: str
    fingerprint: str
    start: Callable[[Places], tuple[Spec, Spec]]


def _check(tasks: Spec) -> None:
    for name, task in tasks.items():
        if unknown := set(task) - _KNOWN:
            raise SpecError(f"{name}: not simulated: {sorted(unknown)}")
        if task["taskInfo"]["name"] != name:
            raise SpecError(f"{name}: its taskInfo has another name, {task['taskInfo']['name']}")
        if unknown := set(task.get("dependentTasks", ())) - set(tasks):
            raise SpecError(f"{name}: it depends on tasks that are not there: {sorted(unknown)}")


def _prepared(
    spec: Spec,
    name: str,
    records: Records,
    arguments: Mapping[str, Any],
    root: str,
    backend: Backend,
    claims: Sequence[str],
) -> Task:
    """Resolves a task's inputs."""
    task = spec["root"]["dag"]["tasks"][name]
    component = spec["components"][task["componentRef"]["name"]]
    match spec["deploymentSpec"]["executors"][component["executorLabel"]]:
        case {"container": container}:
            given = driver.executor_input(component, task, records, arguments, root, backend)
            cached = task.get("cachingOptions", {}).get("enableCache", False)
            mounted = claims if backend.caches_by_claim else ()
            key = fingerprint(container, component, given, mounted) if cached else ""
            retries = of_task(task)
            return Task(name, key, lambda places: launch(name, container, given, places, retries))
        case {"importer": importer}:
            artifacts = driver.imported(importer, component, arguments)
            return Task(name, "", lambda places: (artifacts, {}))
        case executor:
            raise SpecError(f"{name}: executors of the kind {set(executor)} are not implemented")
