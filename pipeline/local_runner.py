"""Runs the pipeline on this machine with Beam, telling what the nodes do."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from ml_metadata.proto import metadata_store_pb2
from tfx.orchestration import metadata
from tfx.orchestration.beam.beam_dag_runner import BeamDagRunner, PipelineNodeAsDoFn
from tfx.orchestration.pipeline import Pipeline


@dataclass(frozen=True)
class NodeEvent:
    """A node starts, or has ended.

    Attributes:
      node: its id.
      run_id: the pipeline run's id in ML Metadata.
      seconds: how long it took; None when it starts.
      cached: whether it was served from TFX's cache.
      error: what it raised.
    """

    node: str
    run_id: str
    seconds: float | None = None
    cached: bool = False
    error: BaseException | None = None


# Beam pickles the nodes it runs, so that the listener cannot be part of them.
_listeners: list[Callable[[NodeEvent], None]] = []


class _ToldNode(PipelineNodeAsDoFn):
    """A node that tells when it starts and ends."""

    def _run_node(self) -> None:
        run_id = self._pipeline_runtime_spec.pipeline_run_id.field_value.string_value
        start = time.perf_counter()

        def tell(event: NodeEvent) -> None:
            for listener in _listeners:
                listener(event)

        try:
            tell(NodeEvent(self._node_id, run_id))
            super()._run_node()
        except BaseException as error:  # Beam turns an interrupt into something else
            tell(NodeEvent(self._node_id, run_id, time.perf_counter() - start, error=error))
            raise
        seconds = time.perf_counter() - start
        tell(NodeEvent(self._node_id, run_id, seconds, cached=self._was_cached(run_id)))

    def _was_cached(self, run_id: str) -> bool:
        with metadata.Metadata(self._mlmd_connection_config) as handle:
            run = handle.store.get_context_by_type_and_name("pipeline_run", run_id)
            executions = handle.store.get_executions_by_context(run.id)
        newest = max(executions, key=lambda execution: execution.id)
        return newest.last_known_state == metadata_store_pb2.Execution.CACHED


class _Runner(BeamDagRunner):
    _PIPELINE_NODE_DO_FN_CLS = _ToldNode


def run(pipeline: Pipeline, listener: Callable[[NodeEvent], None]) -> None:
    """Runs a pipeline to its end.

    Args:
      pipeline: what is run.
      listener: told of each node's start and end.

    Raises:
      Exception: what the first failing node raised, as Beam passes it on.
    """
    _listeners.append(listener)
    try:
        _Runner().run(pipeline)
    finally:
        _listeners.remove(listener)
