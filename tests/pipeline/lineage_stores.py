"""ML Metadata as runs leave it, written by hand: the whole graph without training anything."""

import json
from pathlib import Path

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline.store import sqlite

METHOD = {"name": "soft_logits", "preset": "crd", "temperature": 2.0, "task_weight": 0.1}
RECIPE = {"epochs": 6, "batch_size": 64}
CONFIG = {
    "name": "quick",
    "seed": 3,
    "teacher": {"network": "resnet20", "from": None},
    "student": {"network": "resnet8", "from": None},
    "method": METHOD,
    "recipe": RECIPE,
}
CODE = {"revision": "a" * 40, "modified": False, "fingerprint": "f" * 64}
ENVIRONMENT = {
    "python": "3.10.13",
    "platform": "Linux",
    "cpu": "a processor",
    "libraries": {"keras": "3.12.4"},
}
TRAINED = ["Cifar100ExampleGen", "ImportSchemaGen", "Trainer.teacher", "Trainer.baseline"]


class Writer:
    """Writes runs into a SQLite file.

    Args:
      folder: the artifacts' files lie below it, and `metadata.sqlite` in it.
      serving: the versions lie below it.
    """

    def __init__(self, folder: Path, serving: str = ""):
        self._folder, self.serving = folder, serving
        self.connection = sqlite(folder / "metadata.sqlite")
        self._store = metadata_store.MetadataStore(self.connection)

    def run(self, run_id: str, pipeline: str = "quick") -> "RunWriter":
        contexts = [
            self._context("pipeline", pipeline),
            self._context("pipeline_run", run_id),
        ]
        return RunWriter(self, pipeline, contexts)

    def artifact(self, type_name: str, content: tuple[str, object] | None = None, **properties):
        """Writes an artifact, with a JSON file where `content` is its name and document."""
        artifact = mlmd.Artifact(
            type_id=self._store.put_artifact_type(mlmd.ArtifactType(name=type_name)),
            state=mlmd.Artifact.LIVE,
        )
        _set(artifact.custom_properties, properties)
        [artifact.id] = self._store.put_artifacts([artifact])
        artifact.uri = str(self._folder / str(artifact.id))
        self._store.put_artifacts([artifact])
        if content:
            Path(artifact.uri).mkdir()
            Path(artifact.uri, content[0]).write_text(json.dumps(content[1]), encoding="utf-8")
        return artifact

    def execution(self, contexts, state, inputs, outputs, properties) -> int:
        execution = mlmd.Execution(
            type_id=self._store.put_execution_type(mlmd.ExecutionType(name="a node")),
            last_known_state=getattr(mlmd.Execution, state),
        )
        _set(execution.custom_properties, properties)
        pairs = [
            (artifact, _event(kind, key))
            for kind, artifacts in ((mlmd.Event.INPUT, inputs), (mlmd.Event.OUTPUT, outputs))
            for key, artifact in artifacts.items()
        ]
        identity, _, _ = self._store.put_execution(
            execution, pairs, contexts, reuse_context_if_already_exist=True
        )
        return identity

    def _context(self, type_name: str, name: str) -> mlmd.Context:
        return mlmd.Context(
            type_id=self._store.put_context_type(mlmd.ContextType(name=type_name)), name=name
        )

    def node_context(self, name: str) -> mlmd.Context:
        return self._context("node", name)


class RunWriter:
    """Writes a run's nodes, in their order."""

    def __init__(self, writer: Writer, pipeline: str, contexts: list):
        self._writer = writer
        self._pipeline = pipeline
        self._contexts = contexts
        self.outputs: dict[str, dict] = {}

    def node(self, name, inputs=None, outputs=None, state="COMPLETE", **properties) -> dict:
        contexts = [*self._contexts, self._writer.node_context(f"{self._pipeline}.{name}")]
        self.outputs[name] = outputs or {}
        self._writer.execution(contexts, state, inputs or {}, outputs or {}, properties)
        return self.outputs[name]

    def record(self, config=CONFIG, code=CODE, environment=ENVIRONMENT) -> None:
        run = {"command": ["tfx-distill", "run"], "config": config}
        run |= {"code": code, "environment": environment}
        artifact = self._writer.artifact("components.RunRecord")
        self.node("RunRecorder", outputs={"run_record": artifact}, run=json.dumps(run))

    def train(self, method=METHOD, teacher=None, fingerprint="d" * 64) -> None:
        """The data, the teacher, the baseline and the student."""
        make = self._writer.artifact
        counts = {"train_count": 269, "eval_count": 31, "test_count": 300}
        examples = make(
            "Examples",
            split_names=json.dumps(["train", "eval", "test"]),
            source="/data/cifar-100-python.tar.gz",
            archive_md5="m" * 32,
            data_fingerprint=fingerprint,
            **counts,
        )
        schema = make("Schema")
        self.node("Cifar100ExampleGen", outputs={"examples": examples})
        self.node("ImportSchemaGen", outputs={"schema": schema}, schema_file="/s/schema.pbtxt")
        data = {"examples": examples, "schema": schema}
        if teacher:
            self.node("Importer.teacher", outputs={"model": make("Model", **teacher)})
        else:
            self._trainer("teacher", "resnet20", data)
        self._trainer("baseline", "resnet8", data)
        config = {"student": "resnet8", "recipe": RECIPE, "seed": 3}
        results = {"test": {"teacher": {"top1": 0.8}, "student": {"top1": 0.75}}}
        summary = {
            **config,
            "method": method,
            **results,
            "parameters": {"student": 83892},
            "seconds": 12.5,
        }
        trained_teacher = self.outputs["Importer.teacher" if teacher else "Trainer.teacher"]
        self.node(
            "DistillTrainer",
            inputs={**data, "teacher": trained_teacher["model"]},
            outputs={
                "model": make("Model", test_top1=0.75),
                "summary": make("components.DistillationSummary", ("summary.json", summary)),
            },
            config=json.dumps(config),
            method=json.dumps(method),
        )

    def serve_from_cache(self, other: "RunWriter") -> None:
        """The same as another run's `train`, without doing anything."""
        for name in [*TRAINED, "DistillTrainer"]:
            self.node(name, outputs=other.outputs[name], state="CACHED")

    def judge(self, refused_by="", champion="") -> None:
        """The gate."""
        make = self._writer.artifact
        student = self.outputs["DistillTrainer"]["model"]
        baseline = make(
            "Model",
            choice="champion" if champion else "from_scratch",
            champion_version=champion,
            reason="it is so",
        )
        scratch = self.outputs["Trainer.baseline"]["model"]
        self.node(
            "BaselineSelector",
            inputs={"from_scratch": scratch, "candidate": student},
            outputs={"model": baseline},
        )
        examples = self.outputs["Cifar100ExampleGen"]["examples"]
        evaluation = make("ModelEvaluation")
        self.node(
            "Evaluator",
            inputs={"examples": examples, "model": student, "baseline_model": baseline},
            outputs={"evaluation": evaluation, "blessing": make("ModelBlessing", blessed=1)},
        )
        top1 = {"teacher": 0.8, "baseline": 0.7, "student": 0.75}
        networks = {name: {"top1": value} for name, value in top1.items()}
        profile = make("components.ModelProfile", ("profile.json", {"networks": networks}))
        self.node(
            "ModelProfiler",
            inputs={"student": student, "examples": examples},
            outputs={"profile": profile},
        )
        bound = {
            "key": "gate.min_accuracy",
            "metric": "top-1 accuracy",
            "subject": "student",
            "slice": "overall",
            "value": 0.75,
            "bound": 0.6,
            "is_minimum": True,
            "unit": "share",
            "passed": not refused_by,
            "judge": "TFMA",
        }
        decision = {"blessed": not refused_by, "bounds": [bound]}
        self.node(
            "StudentGate",
            inputs={"evaluation": evaluation, "profile": profile, "baseline": baseline},
            outputs={
                "blessing": make("ModelBlessing", blessed=int(not refused_by)),
                "decision": make(
                    "components.GateDecision", ("decision.json", decision), refused_by=refused_by
                ),
            },
        )

    def push(self, version="", **properties) -> None:
        """The Pusher; without a version it was refused."""
        if version:
            properties |= {
                "pushed_version": version,
                "pushed_destination": f"{self._writer.serving}/{self._pipeline}/{version}",
            }
        gate = self.outputs["StudentGate"]
        self.node(
            "Pusher",
            inputs={
                "model": self.outputs["DistillTrainer"]["model"],
                "model_blessing": gate["blessing"],
            },
            outputs={
                "pushed_model": self._writer.artifact(
                    "PushedModel", pushed=int(bool(version)), **properties
                )
            },
        )

    def _trainer(self, name: str, network: str, inputs: dict) -> None:
        config = {"network": network, "recipe": RECIPE, "seed": 3, "checkpoint_dir": "/x"}
        model = self._writer.artifact("Model")
        self.node(
            f"Trainer.{name}",
            inputs=inputs,
            outputs={"model": model},
            custom_config=json.dumps(config),
        )


def _event(kind: int, key: str) -> mlmd.Event:
    path = mlmd.Event.Path(steps=[mlmd.Event.Path.Step(key=key), mlmd.Event.Path.Step(index=0)])
    return mlmd.Event(type=kind, path=path)


def _set(target, properties: dict) -> None:
    kinds = {int: "int_value", float: "double_value", str: "string_value"}
    for key, value in properties.items():
        setattr(target[key], kinds[type(value)], value)
