"""The pipeline as Kubeflow Pipelines 2 takes it: a PipelineSpec, and what its pods are given."""

from typing import Any

import yaml
from tfx.components import Trainer
from tfx.dsl.components.base.base_node import BaseNode
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
from components.model_report.component import ModelReport
from components.run_recorder.component import RunRecorder
from components.student_gate.component import StudentGate
from pipeline import graph
from pipeline.cluster import names
from pipeline.cluster.plan import WORKDIR, ClusterPlan
from pipeline.cluster.settings import KubeflowConfig, Resources, executor_platform
from pipeline.comparison import ComparisonPlan
from pipeline.graph.comparison import create_comparison

_TRAINS = (Trainer, DistillTrainer)
# What looks at the volume or at the machine finds there what no cache key holds.
_NEVER_CACHED = (
    RunRecorder,
    DataProbe,
    BaselineSelector,
    StudentGate,
    AtomicPusher,
    ModelReport,
)
_IMAGE = "image"
_COMMAND = ["python", "-m", "pipeline.cluster.entrypoint"]


def document(plan: ClusterPlan | ComparisonPlan) -> str:
    """Compiles a pipeline.

    Args:
      plan: the run, or the comparison.

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
    spec["defaultPipelineRoot"] = settings.pipeline_root
    spec["root"]["inputDefinitions"] = {"parameters": _parameters(pipeline, settings)}
    tasks, executors = spec["root"]["dag"]["tasks"], spec["deploymentSpec"]["executors"]
    for node in pipeline.components:
        name = names.kebab(node.id)
        _add_image(spec["components"][name], tasks[name])
        tasks[name]["cachingOptions"] = {} if _never_cached(node) else {"enableCache": True}
        tasks[name]["retryPolicy"] = {
            "maxRetryCount": settings.retries,
            "backoffDuration": "30s",
            "backoffFactor": 2.0,
            "backoffMaxDuration": "600s",
        }
        executors[names.executor(node.id)]["container"]["resources"] = _resources(node, settings)
    return spec


def _platform_spec(pipeline: Pipeline, settings: KubeflowConfig) -> names.Spec:
    executors = {
        names.executor(node.id): executor_platform(settings, _trains(node), str(WORKDIR))
        for node in pipeline.components
    }
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}


def _parameters(pipeline: Pipeline, settings: KubeflowConfig) -> names.Spec:
    """Returns the pipeline's parameters; TFX leaves out their defaults."""
    defaults = {_IMAGE: settings.image} | {
        value.name: value.default
        for node in pipeline.components
        for value in node.exec_properties.values()
        if isinstance(value, RuntimeParameter)
    }
    return {
        name: {"parameterType": "STRING", "defaultValue": value} for name, value in defaults.items()
    }


def _add_image(component: names.Spec, task: names.Spec) -> None:
    """Hands the pipeline's image to a task: Kubeflow resolves what is the task's own alone."""
    inputs = component.setdefault("inputDefinitions", {}).setdefault("parameters", {})
    inputs[_IMAGE] = {"parameterType": "STRING"}
    given = task.setdefault("inputs", {}).setdefault("parameters", {})
    given[_IMAGE] = {"componentInputParameter": _IMAGE}


def _resources(node: BaseNode, settings: KubeflowConfig) -> dict[str, Any]:
    asked: Resources = settings.training if _trains(node) else settings.resources
    resources: dict[str, Any] = {
        "cpuRequest": asked.cpu,
        "cpuLimit": asked.cpu,
        "memoryRequest": asked.memory,
        "memoryLimit": asked.memory,
    }
    if _trains(node) and settings.gpu.count:
        resources["accelerator"] = {
            "type": settings.gpu.resource,
            "count": str(settings.gpu.count),  # as JSON writes an int64
        }
    return resources


def _trains(node: BaseNode) -> bool:
    return isinstance(node, _TRAINS)


def _never_cached(node: BaseNode) -> bool:
    return isinstance(node, _NEVER_CACHED)
