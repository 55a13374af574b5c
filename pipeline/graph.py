"""The pipeline: which components a run chains."""

import json

from tfx.components import Evaluator, ExampleValidator, StatisticsGen, Trainer
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import pusher_pb2, trainer_pb2
from tfx.types import standard_artifacts

from components.anomaly_gate.component import AnomalyGate
from components.atomic_pusher.component import AtomicPusher
from components.baseline_selector.component import BaselineSelector
from components.cifar100_example_gen.component import Cifar100ExampleGen
from components.distill_trainer.component import DistillTrainer
from components.model_report.component import ModelReport
from components.serving_versions import versions
from kd_trainer import methods, networks
from kd_trainer.recipe import Recipe
from pipeline import fingerprint, gate, store
from pipeline.plan import Plan
from pipeline.user_networks import OwnNetwork


def create_pipeline(plan: Plan) -> Pipeline:
    """Chains the components of a run.

    Each component is given a hash of the code that it runs, and the schema and the networks of the
    user's own lie under paths of their content's, so that TFX's cache never serves what edited
    code or files would make different.
    """
    config, data = plan.config, plan.config.data

    example_gen = Cifar100ExampleGen(
        source=plan.source,
        data_fingerprint=plan.data_fingerprint,
        eval_fraction=data.eval_fraction,
        limit=data.limit,
        code_fingerprint=fingerprint.code("components.cifar100_example_gen.executor"),
    )
    examples = example_gen.outputs["examples"]
    statistics_gen = StatisticsGen(examples=examples)
    schema_gen = ImportSchemaGen(schema_file=str(plan.imported_schema))
    schema = schema_gen.outputs["schema"]
    validator = ExampleValidator(statistics=statistics_gen.outputs["statistics"], schema=schema)
    anomaly_gate = AnomalyGate(
        anomalies=validator.outputs["anomalies"],
        code_fingerprint=fingerprint.code("components.anomaly_gate.executor"),
    )

    def trainer(name: str, network: str, recipe: Recipe) -> Trainer:
        # The Trainer must be given eval splits; without one it gets what run_fn then leaves alone.
        eval_split = "eval" if data.eval_fraction else "train"
        custom_config = {
            "name": name,
            "network": network,
            "recipe": recipe.model_dump(mode="json"),
            "seed": config.seed,
            "validate": bool(data.eval_fraction),
            "code_fingerprint": fingerprint.code("kd_trainer.run_fn", networks.module(network)),
        }
        node = Trainer(
            run_fn="kd_trainer.run_fn.run_fn",
            examples=examples,
            schema=schema,
            train_args=trainer_pb2.TrainArgs(splits=["train"]),
            eval_args=trainer_pb2.EvalArgs(splits=[eval_split]),
            custom_config={
                **custom_config,
                "checkpoint_dir": plan.checkpoint_dir(f"Trainer.{name}", custom_config),
            },
        ).with_id(f"Trainer.{name}")
        node.add_upstream_node(anomaly_gate)
        return node

    teacher: BaseNode
    if "teacher" in plan.own:
        teacher = _imported(plan.own["teacher"])
    else:
        recipe = config.teacher.recipe or config.recipe
        teacher = trainer("teacher", str(config.teacher.network), recipe)
    from_scratch = trainer("baseline", plan.student, config.recipe)
    distill_config = {
        "student": plan.student,
        "method": config.method,
        "recipe": config.recipe.model_dump(mode="json"),
        "seed": config.seed,
    }
    distill_code = fingerprint.code(
        "components.distill_trainer.executor",
        networks.module(plan.student),
        *methods.modules(config.method),
    )
    distill_trainer = DistillTrainer(
        examples=examples,
        schema=schema,
        teacher=teacher.outputs["model"],
        config=distill_config,
        checkpoint_dir=plan.checkpoint_dir(
            "DistillTrainer", [distill_config, distill_code, teacher.exec_properties]
        ),
        code_fingerprint=distill_code,
    )
    distill_trainer.add_upstream_node(anomaly_gate)
    student = distill_trainer.outputs["model"]

    # The newest version at launch: it makes the cache see that another one has been pushed.
    observed_version = "".join(versions(str(plan.push_directory))[-1:])
    selector = BaselineSelector(
        from_scratch=from_scratch.outputs["model"],
        candidate=student,
        policy=config.gate.baseline,
        push_directory=str(plan.push_directory),
        observed_version=observed_version,
        code_fingerprint=fingerprint.code("components.baseline_selector.executor"),
    )
    evaluator = Evaluator(
        examples=examples,
        example_splits=["test"],
        model=student,
        baseline_model=selector.outputs["model"],
        eval_config=gate.eval_config(config.gate),
    )
    pusher = AtomicPusher(
        model=student,
        model_blessing=evaluator.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(
                base_directory=str(plan.push_directory)
            )
        ),
        custom_config={
            "observed_version": observed_version,
            "code_fingerprint": fingerprint.code("components.atomic_pusher.executor"),
        },
    ).with_id("Pusher")
    report = ModelReport(
        run_record=recorder.outputs["run_record"],
        examples=examples,
        schema=schema,
        teacher=teacher.outputs["model"],
        teacher_run=None if "teacher" in plan.own else teacher.outputs["model_run"],
        baseline=selector.outputs["model"],
        baseline_run=from_scratch.outputs["model_run"],
        student=student,
        student_run=distill_trainer.outputs["model_run"],
        summary=distill_trainer.outputs["summary"],
        evaluation=evaluator.outputs["evaluation"],
        profile=profiler.outputs["profile"],
        decision=student_gate.outputs["decision"],
        pushed_model=pusher.outputs["pushed_model"],
        code_fingerprint=fingerprint.code("components.model_report.executor"),
    )

    return Pipeline(
        pipeline_name=config.name,
        pipeline_root=str(plan.pipeline_root),
        metadata_connection_config=store.sqlite(plan.metadata),
        components=[
            example_gen,
            statistics_gen,
            schema_gen,
            validator,
            anomaly_gate,
            teacher,
            from_scratch,
            distill_trainer,
            selector,
            evaluator,
            pusher,
            report,
        ],
        enable_cache=True,
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
