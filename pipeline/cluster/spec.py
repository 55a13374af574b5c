"""The pipeline as Kubeflow Pipelines 2 takes it: a PipelineSpec, and what its pods are given."""

import json
from typing import Any

import yaml
from tfx.components import Trainer
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.components.base.base_component import BaseComponent
from tfx.orchestration.data_types import RuntimeParameter
from tfx.orchestration.kubeflow.v2.kubeflow_v2_dag_runner import (
    KubeflowV2DagRunner,
    KubeflowV2DagRunnerConfig,
)
from tfx.orchestration.pipeline import Pipeline

from components.atomic_pusher.component import AtomicPusher
from components.baseline_selector.component import BaselineSelector
from components.data_probe.component import DataProbe
from components.distill_trainer.component import DistillTrainer
from components.leaderboard.component import Leaderboard
from components.model_report.component import ModelReport
from components.network_probe.component import NetworkProbe
from components.run_recorder.component import RunRecorder
from components.student_gate.component import StudentGate
from pipeline import graph
from pipeline.cluster import entrypoint, limits, names, views
from pipeline.cluster.local_paths import WORKDIR
from pipeline.cluster.plan import ClusterPlan
from pipeline.cluster.settings import KubeflowConfig, container_resources, executor_platform
from pipeline.comparison import ComparisonPlan
from pipeline.graph.comparison import create_comparison

_TRAINS = (Trainer, DistillTrainer)
# What looks at the volume or at the machine finds there what no cache key holds.
_NEVER_CACHED = (
    RunRecorder,
    DataProbe,
    NetworkProbe,
    BaselineSelector,
    StudentGate,
    AtomicPusher,
    ModelReport,
)
_VIEWS = {
    ModelReport: (views.PAGE, views.METRICS, views.CONFUSION),
    Leaderboard: (views.PAGE, views.METRICS),
}
_IMAGE, _CACHE_SALT = "image", "cache_salt"
_PAUSE = 30  # seconds before the second attempt, and twice as many before each further one
_COMMAND = ["python", "-m", "pipeline.cluster.entrypoint"]


def document(plan: ClusterPlan | ComparisonPlan) -> str:
    """Compiles a pipeline.

    Args:
      plan: the run, or the comparison.

    Raises:
      ConfigError: a comparison is of more networks than a task can be given.

    Returns:
      Two documents in YAML, the same bytes for the same plan and code: the PipelineSpec, and the
      platform specification of Kubernetes.
    """
    if isinstance(plan, ComparisonPlan):
        pipeline, settings = create_comparison(plan), plan.run.config.kubeflow
    else:
        pipeline, settings = graph.create_pipeline(plan), plan.config.kubeflow
    parts = [_pipeline_spec(pipeline, settings), _platform_spec(pipeline, settings)]
    return yaml.safe_dump_all(parts, sort_keys=True, width=100)


def _pipeline_spec(pipeline: Pipeline, settings: KubeflowConfig) -> names.Spec:
    runner = KubeflowV2DagRunner(
        KubeflowV2DagRunnerConfig(
            # The driver of Kubeflow 2.4 and later puts the parameter's value in its place.
            default_image=f"{{{{$.inputs.parameters['{_IMAGE}']}}}}",
            default_commands=_COMMAND,
            use_pipeline_spec_2_1=True,
        )
    )
    compiled = runner.run(pipeline, write_out=False)["pipelineSpec"]
    spec = names.renamed(compiled)
    if settings.pipeline_root is not None:
        # Kubeflow does not read it; whoever starts a run sends it along.
        spec["defaultPipelineRoot"] = settings.pipeline_root
    spec["root"]["inputDefinitions"] = {"parameters": _parameters(pipeline, settings)}
    tasks, executors = spec["root"]["dag"]["tasks"], spec["deploymentSpec"]["executors"]
    for node in pipeline.components:
        name = names.kebab(node.id)
        _add_parameter(_IMAGE, spec["components"][name], tasks[name])
        if shown := _VIEWS.get(type(node)):
            outputs = spec["components"][name]["outputDefinitions"]["artifacts"]
            outputs |= views.declared(*shown)
        if isinstance(node, _NEVER_CACHED):
            tasks[name]["cachingOptions"] = {}
        else:
            tasks[name]["cachingOptions"] = {"enableCache": True}
            _add_parameter(_CACHE_SALT, spec["components"][name], tasks[name])
        if settings.retries and (_trains(node) or _is_beams(node)):
            tasks[name]["retryPolicy"] = _retry_policy(settings, _trains(node))
        container = executors[names.executor(node.id)]["container"]
        # The task of a training on several machines waits for the pods that have what it asks for.
        several = _on_several_machines(node)
        container["resources"] = container_resources(settings, _trains(node) and not several)
        if several:
            container["args"] += [entrypoint.WORKERS, settings.model_dump_json()]
    limits.check(tasks, settings.pipeline_root)
    return spec


def _platform_spec(pipeline: Pipeline, settings: KubeflowConfig) -> names.Spec:
    executors = {
        names.executor(node.id): executor_platform(settings, _trains(node), str(WORKDIR))
        for node in pipeline.components
    }
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}


def _parameters(pipeline: Pipeline, settings: KubeflowConfig) -> names.Spec:
    """Returns the pipeline's parameters; TFX leaves out their defaults."""
    defaults = {_IMAGE: settings.image, _CACHE_SALT: ""} | {
        value.name: value.default
        for node in pipeline.components
        for value in node.exec_properties.values()
        if isinstance(value, RuntimeParameter)
    }
    return {
        name: {"parameterType": "STRING", "defaultValue": value} for name, value in defaults.items()
    }


def _add_parameter(name: str, component: names.Spec, task: names.Spec) -> None:
    """Hands a parameter of the pipeline to a task."""
    inputs = component.setdefault("inputDefinitions", {}).setdefault("parameters", {})
    inputs[name] = {"parameterType": "STRING"}
    given = task.setdefault("inputs", {}).setdefault("parameters", {})
    given[name] = {"componentInputParameter": name}


def _retry_policy(settings: KubeflowConfig, trains: bool) -> dict[str, Any]:
    """Returns when a task is started anew.

    Argo counts `backoffMaxDuration` from the start of the first attempt, and kills an attempt that
    is at work when it is over (`processNodeRetries` in `workflow/controller/operator.go`). So it is
    as long as all attempts and the pauses between them.
    """
    retries = settings.retries
    attempts = (retries + 1) * settings.task_timeout(trains)
    pauses = _PAUSE * (2**retries - 1)
    return {
        "maxRetryCount": retries,
        "backoffDuration": f"{_PAUSE}s",
        "backoffFactor": 2.0,
        "backoffMaxDuration": f"{attempts + pauses}s",
    }


def _trains(node: BaseComponent) -> bool:
    return isinstance(node, _TRAINS)


def _on_several_machines(node: BaseComponent) -> bool:
    if not _trains(node):
        return False
    key = "custom_config" if isinstance(node, Trainer) else "config"
    recipe = json.loads(node.exec_properties[key])["recipe"]
    return bool(recipe["distribution"] == "multi_worker")


def _is_beams(node: BaseComponent) -> bool:
    return issubclass(node.executor_spec.executor_class, BaseBeamExecutor)
