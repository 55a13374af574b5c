"""The pipeline: which components a run chains."""

import json

from tfx.components import Evaluator, ExampleValidator, StatisticsGen, Trainer
from tfx.components.schema_gen.import_schema_gen.component import ImportSchemaGen
from tfx.dsl.components.base.base_node import BaseNode
from tfx.dsl.components.common.importer import Importer
from tfx.orchestration.pipeline import Pipeline
from tfx.proto import trainer_pb2
from tfx.types import standard_artifacts

from components.anomaly_gate.component import AnomalyGate
from components.atomic_pusher.component import AtomicPusher
from components.baseline_selector.component import BaselineSelector
from components.cifar100_example_gen.component import Cifar100ExampleGen
from components.distill_trainer.component import DistillTrainer
from components.model_profiler.component import ModelProfiler
from components.run_recorder.component import RunRecorder
from components.serving_versions import versions
from components.student_gate.component import StudentGate
from components.lite_exporter.component import LiteExporter
from components.serving_versions import observed
from kd_trainer import methods, networks
from kd_trainer.recipe import Recipe
from pipeline import fingerprint, gate, run_record
from pipeline.plan import Plan
from pipeline.user_networks import OwnNetwork


def create_pipeline(plan: Plan) -> Pipeline:
    """Chains the components of a run.

    Each component is given a hash of the code that it runs, and the schema and the networks of the
    user's own lie under paths of their content's, so that TFX's cache never serves what edited
    code or files would make different.
    """
    config, data = plan.config, plan.config.data

    recorder = RunRecorder(run=run_record.document(config, plan.command))
    example_gen = Cifar100ExampleGen(
        source=plan.source,
        data_fingerprint=plan.data_fingerprint,
        eval_fraction=data.eval_fraction,
        limit=data.limit,
        code_fingerprint=fingerprint.code("components.cifar100_example_gen.executor"),
    )
    example_gen.add_upstream_node(recorder)
    examples = example_gen.outputs["examples"]
    statistics_gen = StatisticsGen(examples=examples)
    schema_gen = ImportSchemaGen(schema_file=str(plan.imported_schema))
    schema_gen.add_upstream_node(recorder)
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
        teacher.add_upstream_node(recorder)
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

    # What is in service at launch: it makes the cache see that a version was pushed or withdrawn.
    observed_version = observed(str(plan.push_directory))
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
    profiler = ModelProfiler(
        examples=examples,
        teacher=teacher.outputs["model"],
        baseline=selector.outputs["model"],
        student=student,
        code_fingerprint=fingerprint.code("components.model_profiler.executor"),
    )
    teacher_eval_config = gate.teacher_eval_config(config.gate)
    teacher_evaluator = teacher_eval_config and Evaluator(
        examples=examples,
        example_splits=["test"],
        model=student,
        baseline_model=teacher.outputs["model"],
        eval_config=teacher_eval_config,
    ).with_id("Evaluator.teacher")
    student_gate = StudentGate(
        evaluation=evaluator.outputs["evaluation"],
        teacher_evaluation=teacher_evaluator and teacher_evaluator.outputs["evaluation"],
        profile=profiler.outputs["profile"],
        baseline=selector.outputs["model"],
        candidate=student,
        gate=config.gate.model_dump_json(),
        push_directory=str(plan.push_directory),
        observed_version=observed_version,
        code_fingerprint=fingerprint.code("components.student_gate.executor"),
    )
    pusher = AtomicPusher(
        model=student,
        model_blessing=student_gate.outputs["blessing"],
        push_destination=pusher_pb2.PushDestination(
            filesystem=pusher_pb2.PushDestination.Filesystem(
                base_directory=str(plan.push_directory)
            )
        ),
        custom_config={
            "observed_version": observed_version,
            "code_fingerprint": fingerprint.code("components.atomic_pusher.executor"),
        },
    lite = []
    if "tflite" in config.push.formats:
        lite.append(
            LiteExporter(
                model=student,
                examples=examples,
                code_fingerprint=fingerprint.code("components.lite_exporter.executor"),
            )
        )
    pusher = AtomicPusher(
        model=student,
        model_blessing=student_gate.outputs["blessing"],
        decision=student_gate.outputs["decision"],
        run_record=recorder.outputs["run_record"],
        profile=profiler.outputs["profile"],
        lite=lite[0].outputs["lite"] if lite else None,
        push_directory=str(plan.push_directory),
        observed_version=observed_version,
        code_fingerprint=fingerprint.code("components.atomic_pusher.executor"),
    ).with_id("Pusher")

    return Pipeline(
        pipeline_name=config.name,
        pipeline_root=str(plan.pipeline_root),
        metadata_connection_config=plan.metadata,
        components=[
            recorder,
            example_gen,
            statistics_gen,
            schema_gen,
            validator,
            anomaly_gate,
            teacher,
            from_scratch,
            distill_trainer,
            *lite,
            selector,
            evaluator,
            *([teacher_evaluator] if teacher_evaluator else []),
            profiler,
            student_gate,
            pusher,
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
