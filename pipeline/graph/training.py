"""The nodes that train: teacher, baseline, student."""

import json
from typing import NamedTuple

from tfx.components import Trainer
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.importer import Importer
from tfx.proto import trainer_pb2
from tfx.types import BaseChannel, standard_artifacts

from components.distill_trainer.component import DistillTrainer
from kd_trainer import networks
from kd_trainer.recipe import Recipe
from pipeline import fingerprint
from pipeline.graph.data import DataNodes
from pipeline.plan import Plan
from pipeline.user_networks import OwnNetwork


class TrainingNodes(NamedTuple):
    """In the order in which they run."""

    teacher: BaseNode
    baseline: Trainer
    distill_trainer: DistillTrainer

    @property
    def student(self) -> BaseChannel:
        """The student's model."""
        return self.distill_trainer.outputs["model"]


def training_nodes(plan: Plan, data: DataNodes) -> TrainingNodes:
    """Returns the nodes; the teacher is trained, or imported if it is the user's own."""
    config = plan.config
    teacher: BaseNode
    if "teacher" in plan.own:
        teacher = _imported(plan.own["teacher"])
        teacher.add_upstream_node(data.recorder)
    else:
        recipe = config.teacher.recipe or config.recipe
        teacher = _trainer("teacher", str(config.teacher.network), recipe, plan, data)
    baseline = _trainer("baseline", plan.student, config.recipe, plan, data)
    return TrainingNodes(teacher, baseline, _distill_trainer(teacher, plan, data))


def _trainer(name: str, network: str, recipe: Recipe, plan: Plan, data: DataNodes) -> Trainer:
    with_eval = bool(plan.config.data.eval_fraction)
    custom_config = {
        "name": name,
        "network": network,
        "recipe": recipe.model_dump(mode="json"),
        "seed": plan.config.seed,
        "validate": with_eval,
        "code_fingerprint": fingerprint.code("kd_trainer.run_fn", networks.module(network)),
        "checkpoint_dir": plan.checkpoint_dir(f"Trainer.{name}"),
    }
    trainer = Trainer(
        run_fn="kd_trainer.run_fn.run_fn",
        examples=data.examples,
        schema=data.schema,
        train_args=trainer_pb2.TrainArgs(splits=["train"]),
        # The Trainer must be given eval splits; without one it gets what run_fn then leaves alone.
        eval_args=trainer_pb2.EvalArgs(splits=["eval" if with_eval else "train"]),
        custom_config=custom_config,
    ).with_id(f"Trainer.{name}")
    trainer.add_upstream_node(data.anomaly_gate)
    return trainer


def _distill_trainer(teacher: BaseNode, plan: Plan, data: DataNodes) -> DistillTrainer:
    config = {
        "student": plan.student,
        "recipe": plan.config.recipe.model_dump(mode="json"),
        "seed": plan.config.seed,
    }
    code = fingerprint.code(
        "components.distill_trainer.executor",
        networks.module(plan.student),
        *plan.method_modules,
    )
    trainer = DistillTrainer(
        examples=data.examples,
        schema=data.schema,
        teacher=teacher.outputs["model"],
        config=config,
        method=plan.inputs["method"],
        method_preset=plan.inputs["method_preset"],
        checkpoint_dir=plan.checkpoint_dir("DistillTrainer"),
        teacher_cache_dir=str(plan.workdir / "teacher_outputs"),
        teacher_cache_gigabytes=plan.config.teacher.cache_gigabytes,
        code_fingerprint=code,
    )
    trainer.add_upstream_node(data.anomaly_gate)
    return trainer


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
