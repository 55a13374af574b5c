"""Where a pushed version comes from, as a document."""

import json
import os
from typing import Any

from components.serving_versions import withdrawal, withdrawn_path
from pipeline.history import Artifact, History, Node, Run
from pipeline.pushes import GATE_DECISION, Push

RUN_RECORD = "components.RunRecord"
SUMMARY = "components.DistillationSummary"
PROFILE = "components.ModelProfile"
# Of our artifacts; their types cannot be asked for the names without loading TFX.
FILES = {SUMMARY: "summary.json", PROFILE: "profile.json", GATE_DECISION: "decision.json"}


def record(history: History, run: Run) -> dict[str, Any] | None:
    """Returns what the RunRecorder kept of a run; None for a run from before there was one."""
    artifact = run.output(RUN_RECORD)
    if artifact is None:
        return None
    _, recorder = history.producer(artifact)
    return json.loads(recorder.properties["run"])


def document(artifact: Artifact | None) -> Any:
    """Returns an artifact's JSON file; None if there is no artifact or the file is gone."""
    return artifact and artifact.document(FILES[artifact.type])


def trace(history: History, push: Push) -> dict[str, Any]:
    """Returns the lineage of a version.

    Each `artifact` is an id in ML Metadata, each `run` a key of `runs`: the run that made the
    artifact, which is an earlier one where the cache served it. `removed` says that
    `tfx-distill gc` removed its files, and what was read in them is None then.

    Args:
      history: what to look in.
      push: the version.
    """
    return _Tracer(history).trace(push)


class _Tracer:
    def __init__(self, history: History):
        self._history = history
        self._runs: dict[str, Run] = {}

    def trace(self, push: Push) -> dict[str, Any]:
        _, pusher = self._producer(push.artifact)
        blessing, student = pusher.inputs["model_blessing"], pusher.inputs["model"]
        judged = list(self._history.origins(blessing))
        _, distillation = self._producer(student)
        while "trial" in student.properties:
            # Of a comparison's best: a copy, of a copy of the best of a seed.
            student = distillation.inputs[f"{student.properties['trial']}_model"]
            _, distillation = self._producer(student)
        return {
            "version": push.version,
            "pipeline": push.run.pipeline,
            "push": self._push(push),
            "gate": self._gate(blessing, judged),
            "student": self._student(student, distillation),
            "teacher": self._teacher(distillation.inputs["teacher"]),
            "baseline": self._baseline(judged),
            "examples": self._examples(distillation.inputs["examples"]),
            "schema": self._schema(distillation.inputs["schema"]),
            "runs": {name: self._run(run) for name, run in sorted(self._runs.items())},
        }

    def _producer(self, artifact: Artifact) -> tuple[dict[str, Any], Node]:
        """Returns what every artifact of the document has, and the node that made it."""
        run, node = self._history.producer(artifact)
        self._runs[run.id] = run
        made = {"artifact": artifact.id, "uri": artifact.uri, "run": run.id}
        return {**made, "removed": artifact.removed}, node

    def _push(self, push: Push) -> dict[str, Any]:
        made, _ = self._producer(push.artifact)
        properties = push.artifact.properties
        destination = properties["pushed_destination"]
        # A rollback without ML Metadata leaves its record beside the version alone.
        record = withdrawal(destination) if os.path.isdir(withdrawn_path(destination)) else None
        return {
            **made,
            "destination": destination,
            "time": push.artifact.time.isoformat(timespec="seconds"),
            "rebaselined_over": properties.get("rebaselined_over") or None,
            "withdrawn": bool(properties.get("withdrawn") or record),
            "withdrawn_reason": properties.get("withdrawn_reason")
            or (record or {}).get("reason")
            or None,
        }

    def _gate(self, blessing: Artifact, judged: list[Artifact]) -> dict[str, Any]:
        made, gate = self._producer(blessing)
        decision = next((each for each in judged if each.type == GATE_DECISION), None)
        return {
            **made,
            "blessed": bool(blessing.properties["blessed"]),
            "decision": document(decision),
            "evaluations": [
                self._producer(each)[0]
                for each in gate.inputs.values()
                if each.type == "ModelEvaluation"
            ],
        }

    def _student(self, student: Artifact, distillation: Node) -> dict[str, Any]:
        made, _ = self._producer(student)
        config = json.loads(distillation.properties["config"])
        (key,) = (key for key, each in distillation.outputs.items() if each.id == student.id)
        summary = document(distillation.outputs[f"{key.removesuffix('model')}summary"])
        return {
            **made,
            "network": config["student"],
            "method": _method(distillation, key),
            "recipe": config["recipe"],
            "seed": config["seed"],
            "summary": {key: summary[key] for key in ("test", "parameters", "seconds")}
            if summary
            else None,
        }

    def _teacher(self, teacher: Artifact) -> dict[str, Any]:
        made, node = self._producer(teacher)
        if "custom_config" in node.properties:
            return {**made, "origin": "trained", **_training(node)}
        keys = ("file", "sha256", "taps")
        return {**made, "origin": "imported", **{key: teacher.properties[key] for key in keys}}

    def _baseline(self, judged: list[Artifact]) -> dict[str, Any]:
        baseline = next(each for each in judged if "choice" in each.properties)
        made, selector = self._producer(baseline)
        chosen = {key: baseline.properties[key] for key in ("choice", "champion_version", "reason")}
        if chosen["choice"] == "champion":
            return {**made, **chosen}
        # The selector's is a copy.
        trained, trainer = self._producer(selector.inputs["from_scratch"])
        return {**made, **chosen, "from_scratch": {**trained, **_training(trainer)}}

    def _examples(self, examples: Artifact) -> dict[str, Any]:
        made, _ = self._producer(examples)
        properties = examples.properties
        splits = json.loads(properties["split_names"])
        keys = ("source", "archive_md5", "data_fingerprint")
        return {
            **made,
            **{key: properties.get(key) for key in keys},
            "counts": {split: properties[f"{split}_count"] for split in splits},
        }

    def _schema(self, schema: Artifact) -> dict[str, Any]:
        made, node = self._producer(schema)
        return {**made, "file": node.properties["schema_file"]}

    def _run(self, run: Run) -> dict[str, Any]:
        kept = record(self._history, run) or {}
        return {
            "pipeline": run.pipeline,
            "time": run.started.isoformat(timespec="seconds"),
            **{key: kept.get(key) for key in ("command", "code", "environment")},
        }


def _method(distillation: Node, key: str) -> Any:
    """Returns the method of the model that is a node's output of that key."""
    if "students" in distillation.properties:
        students = json.loads(distillation.properties["students"])
        return students[key.removesuffix("_model")]["method"]
    return json.loads(distillation.properties["method"])


def _training(trainer: Node) -> dict[str, Any]:
    config = json.loads(trainer.properties["custom_config"])
    return {key: config[key] for key in ("network", "recipe", "seed")}
