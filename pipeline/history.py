"""The runs that ML Metadata holds, their nodes and artifacts, and who made what.

Read with ML Metadata's own client: neither TFX nor TensorFlow is loaded.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2

_STATES = metadata_store_pb2.Execution.State
_INPUT, _OUTPUT = metadata_store_pb2.Event.INPUT, metadata_store_pb2.Event.OUTPUT
_DELETED = metadata_store_pb2.Artifact.DELETED


@dataclass(frozen=True)
class Artifact:
    """An artifact.

    Attributes:
      id: in ML Metadata.
      type: the type's name.
      uri: where its files are.
      time: when it was written.
      properties: declared and custom ones.
      removed: whether `tfx-distill gc` removed its files.
    """

    id: int
    type: str
    uri: str
    time: datetime
    properties: Mapping[str, Any]
    removed: bool

    def document(self, name: str) -> Any:
        """Returns one of its JSON files; None if that is gone."""
        path = Path(self.uri, name)
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


@dataclass(frozen=True)
class Node:
    """A node of a run: an execution.

    Attributes:
      id: such as `Trainer.teacher`.
      execution: the execution's id in ML Metadata.
      state: `COMPLETE`, `CACHED`, `FAILED`, `RUNNING` or another name of an execution's state.
      ended: when its state last changed.
      properties: what it was given beside artifacts.
      inputs: artifacts by key.
      outputs: artifacts by key.
    """

    id: str
    execution: int
    state: str
    ended: datetime
    properties: Mapping[str, Any]
    inputs: Mapping[str, Artifact]
    outputs: Mapping[str, Artifact]


@dataclass(frozen=True)
class Run:
    """A run of a pipeline.

    Attributes:
      id: the pipeline run's id.
      pipeline: the pipeline's name.
      started: when its first node did.
      nodes: in the order in which they started.
    """

    id: str
    pipeline: str
    started: datetime
    nodes: list[Node]

    @property
    def outputs(self) -> list[Artifact]:
        """What its nodes put out, cached ones too."""
        return [artifact for node in self.nodes for artifact in node.outputs.values()]

    def output(self, type_name: str) -> Artifact | None:
        """Returns what it put out of a type of artifact, the last if there are several."""
        found = [artifact for artifact in self.outputs if artifact.type == type_name]
        return found[-1] if found else None


class History:
    """What ML Metadata holds, at the time of the first look at it.

    Args:
      store: an open store.
    """

    def __init__(self, store: metadata_store.MetadataStore):
        self._store = store
        self.run = cache(self._run)

    @cached_property
    def runs(self) -> list[Run]:
        """All runs, oldest first."""
        contexts = self._store.get_contexts_by_type("pipeline_run")
        runs = [self.run(context.id) for context in contexts]
        # By their numbers: clocks are set back.
        return sorted((run for run in runs if run.nodes), key=lambda run: run.nodes[0].execution)

    def named(self, run_id: str) -> Run:
        """Returns the run of an id that is known to be one."""
        context = self._store.get_context_by_type_and_name("pipeline_run", run_id)
        return self.run(context.id)

    def producer(self, artifact: Artifact) -> tuple[Run, Node]:
        """Returns which run and node made an artifact; one that the cache served did not."""
        events = self._store.get_events_by_artifact_ids([artifact.id])
        ids = [event.execution_id for event in events if event.type == _OUTPUT]
        made = min(
            execution.id
            for execution in self._store.get_executions_by_id(ids)
            if execution.last_known_state == _STATES.COMPLETE
        )
        run = self.run(self._contexts(made)["pipeline_run"].id)
        return run, next(node for node in run.nodes if node.execution == made)

    def origins(self, artifact: Artifact) -> Iterator[Artifact]:
        """Yields what an artifact rests on, and what was put out beside it, nearest first."""
        waiting, seen, executions = [artifact], {artifact.id}, set[int]()
        while waiting:
            _, node = self.producer(waiting.pop(0))
            if node.execution in executions:
                continue
            executions.add(node.execution)
            for other in (*node.outputs.values(), *node.inputs.values()):
                if other.id not in seen:
                    seen.add(other.id)
                    waiting.append(other)
                    yield other

    def _run(self, context_id: int) -> Run:
        [context] = self._store.get_contexts_by_id([context_id])
        executions = self._store.get_executions_by_context(context_id)
        executions.sort(key=lambda execution: execution.id)
        events = self._store.get_events_by_execution_ids([each.id for each in executions])
        ids = {event.artifact_id for event in events}
        artifacts = {item.id: _artifact(item) for item in self._store.get_artifacts_by_id(ids)}
        pipeline = ""
        nodes = []
        for execution in executions:
            contexts = self._contexts(execution.id)
            pipeline = contexts["pipeline"].name
            own = [event for event in events if event.execution_id == execution.id]
            inputs, outputs = (
                {
                    event.path.steps[0].key: artifacts[event.artifact_id]
                    for event in own
                    if event.type == kind
                }
                for kind in (_INPUT, _OUTPUT)
            )
            nodes.append(
                Node(
                    id=contexts["node"].name.removeprefix(f"{pipeline}."),
                    execution=execution.id,
                    state=_STATES.Name(execution.last_known_state),
                    ended=_time(execution.last_update_time_since_epoch),
                    properties=_values(execution),
                    inputs=inputs,
                    outputs=outputs,
                )
            )
        return Run(context.name, pipeline, _time(context.create_time_since_epoch), nodes)

    def _contexts(self, execution: int) -> dict[str, metadata_store_pb2.Context]:
        """Returns what an execution belongs to, by type: what takes time here is to ask."""
        contexts = self._store.get_contexts_by_execution(execution)
        return {context.type: context for context in contexts}


def _artifact(artifact: metadata_store_pb2.Artifact) -> Artifact:
    return Artifact(
        id=artifact.id,
        type=artifact.type,
        uri=artifact.uri,
        time=_time(artifact.create_time_since_epoch),
        properties=_values(artifact),
        removed=artifact.state == _DELETED,
    )


def _values(
    item: metadata_store_pb2.Artifact | metadata_store_pb2.Execution,
) -> dict[str, Any]:
    properties = {**item.properties, **item.custom_properties}
    return {
        key: getattr(value, str(value.WhichOneof("value"))) for key, value in properties.items()
    }


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
