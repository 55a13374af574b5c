"""The nodes that train: teacher, baseline, student."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tfx.components import Trainer
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.importer import Importer
from tfx.proto import trainer_pb2
from tfx.types import BaseChannel, standard_artifacts

from components.distill_trainer.component import DistillTrainer
from components.teacher_importer.component import TeacherImporter
from kd_trainer import networks
from kd_trainer.recipe import Recipe
from pipeline import fingerprint
from pipeline.graph.data import DataNodes
from pipeline.plan import Plan
from pipeline.user_networks import OwnNetwork

Outputs = Mapping[str, BaseChannel]


class Trained(NamedTuple):
    """What was trained: a `model` each, and what there is of its training.

    Attributes:
      teacher: has a `model_run` if it was trained here.
      baseline: has a `model_run`.
      student: has a `model_run` and a `summary`.
    """

    teacher: Outputs
    baseline: Outputs
    student: Outputs


class TrainingNodes(NamedTuple):
    """In the order in which they run."""

    teacher: BaseNode
    baseline: Trainer
    distill_trainer: DistillTrainer

    @property
    def trained(self) -> Trained:
        """What they train."""
        return Trained(*(node.outputs for node in self))


def training_nodes(plan: Plan, data: DataNodes) -> TrainingNodes:
    """Returns the nodes; the teacher is trained, or imported if it is the user's own."""
    teacher = teacher_node(plan, data)
    baseline = baseline_node(plan, data, "Trainer.baseline", plan.config.seed)
    method = plan.inputs["method"], plan.inputs["method_preset"]
    distill_trainer = distill_node(
        teacher, plan, data, "DistillTrainer", *method, plan.method_modules, plan.config.seed
    )
    return TrainingNodes(teacher, baseline, distill_trainer)


def teacher_node(plan: Plan, data: DataNodes) -> BaseNode:
    """Returns what trains the teacher, or imports it if it is the user's own."""
    config = plan.config
    if "teacher" in plan.own:
        elsewhere = plan.networks_to_find.get("teacher")
        teacher = _taken(elsewhere) if elsewhere else _imported(plan.own["teacher"])
        teacher.add_upstream_node(data.network_probe or data.recorder)
        return teacher
    recipe = config.teacher.recipe or config.recipe
    network = str(config.teacher.network)
    return _trainer("Trainer.teacher", network, recipe, config.seed, plan, data)


def baseline_node(plan: Plan, data: DataNodes, node: str, seed: int) -> Trainer:
    """Returns what trains the student's network without a teacher."""
    return _trainer(node, plan.student, plan.config.recipe, seed, plan, data)


def _trainer(
    node: str, network: str, recipe: Recipe, seed: int, plan: Plan, data: DataNodes
) -> Trainer:
    with_eval = bool(plan.config.data.eval_fraction)
    custom_config = {
        "name": node.split(".")[1],  # its role
        "network": network,
        "recipe": recipe.model_dump(mode="json"),
        "seed": seed,
        "validate": with_eval,
        "code_fingerprint": fingerprint.code("kd_trainer.run_fn", networks.module(network)),
        "checkpoint_dir": plan.checkpoint_dir(node),
    }
    trainer = Trainer(
        run_fn="kd_trainer.run_fn.run_fn",
        examples=data.examples,
        schema=data.schema,
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        # The Trainer must be given eval splits; without one it gets what run_fn then leaves alone.
        eval_args=trainer_pb2.EvalArgs(splits=["eval" if with_eval else "train"]),
        custom_config=custom_config,
    ).with_id(node)
    trainer.add_upstream_node(data.anomaly_gate)
    return trainer


def distill_node(
    teacher: BaseNode,
    plan: Plan,
    data: DataNodes,
    node: str,
    method: Any,
    method_preset: Any,
    method_modules: Sequence[str],
    seed: int,
) -> DistillTrainer:
    """Returns what distils a student.

    Args:
      teacher: has the teacher's model.
      plan: the run.
      data: the data's nodes.
      node: its id.
      method: as `DistillTrainer` takes it.
      method_preset: as `DistillTrainer` takes it.
      method_modules: the modules of the method.
      seed: of the training.
    """
    trainer = DistillTrainer(
        examples=data.examples,
        schema=data.schema,
        teacher=teacher.outputs["model"],
        config=student_config(plan, seed),
        method=method,
        method_preset=method_preset,
        checkpoint_dir=plan.checkpoint_dir(node),
        teacher_cache_dir=str(plan.workdir / "teacher_outputs"),
        teacher_cache_gigabytes=plan.config.teacher.cache_gigabytes,
        code_fingerprint=fingerprint.code(
            "components.distill_trainer.executor", networks.module(plan.student), *method_modules
        ),
    ).with_id(node)
    trainer.add_upstream_node(data.anomaly_gate)
    return trainer


def student_config(plan: Plan, seed: int) -> dict[str, Any]:
    """Returns what a distillation is told of the student, as `DistillTrainer` takes it."""
    recipe = plan.config.recipe.model_dump(mode="json")
    return {"student": plan.student, "recipe": recipe, "seed": seed}


def _taken(found: Mapping[str, Any]) -> TeacherImporter:
    """Takes a trained teacher of the user's own from the volume."""
    return TeacherImporter(
        file=found["file"],
        sha256=found["sha256"],
        taps=found["taps"],
        code_fingerprint=fingerprint.code("components.teacher_importer.executor"),
    )


def _imported(own: OwnNetwork) -> Importer:
    """Takes a trained teacher of the user's own into ML Metadata."""
    return Importer(
        source_uri=str(own.directory),
        artifact_type=standard_artifacts.Model,
        output_key="model",
        custom_properties={
            "file": str(own.file),
            "sha256": own.sha256,
            "taps": json.dumps(own.taps, sort_keys=True),
        },
    ).with_id("Importer.teacher")
