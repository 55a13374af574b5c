"""Runs that were stopped: what they left at work in ML Metadata, and half-written, is ended.

A run leaves a note in the workdir before its first node, and takes it away once none of its
executions is at work. One that is killed leaves the note; the next start, which has the workdir to
itself, reads it. Other runs that ML Metadata knows may be at work in other workdirs: they are let
be. Neither TFX nor TensorFlow is loaded.
"""

import json
import os
import shutil
from pathlib import Path

from ml_metadata import metadata_store
from ml_metadata.proto.metadata_store_pb2 import ConnectionConfig, Execution

from pipeline import store as run_store

_FOLDER = ".unfinished"
_AT_WORK = (Execution.NEW, Execution.RUNNING)
_SYSTEM = ".system"  # TFX's own, in a node's folder


def note(workdir: Path, run_id: str, root: str, metadata: ConnectionConfig) -> None:
    """Leaves a note of a run; once is enough.

    Args:
      workdir: which the run has to itself.
      run_id: the pipeline run's id in ML Metadata.
      root: of the pipeline's artifacts.
      metadata: how ML Metadata is reached.
    """
    path = workdir / _FOLDER / run_id
    if path.exists():
        return
    path.parent.mkdir(exist_ok=True)
    partial = path.with_name(f".{run_id}")
    partial.write_text(
        json.dumps({"root": root, "metadata": run_store.name(metadata)}), encoding="utf-8"
    )
    os.replace(partial, path)


def end(workdir: Path, metadata: ConnectionConfig) -> list[str]:
    """Ends the runs that left a note: cancels their executions, removes what these had written.

    Those of another ML Metadata are left to a start with that one.

    Args:
      workdir: which the caller has to itself.
      metadata: how ML Metadata is reached.

    Returns:
      A line for each execution that was ended.
    """
    ended = []
    for path in sorted((workdir / _FOLDER).glob("[!.]*")):
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["metadata"] != run_store.name(metadata):
            continue
        if run_store.exists(metadata):
            ended += _end(metadata_store.MetadataStore(metadata), path.name, Path(told["root"]))
        path.unlink()
    return ended


def _end(store: metadata_store.MetadataStore, run_id: str, root: Path) -> list[str]:
    run = store.get_context_by_type_and_name("pipeline_run", run_id)
    if run is None:  # it was killed before its first node was recorded
        return []
    ended = []
    for execution in store.get_executions_by_context(run.id):
        if execution.last_known_state not in _AT_WORK:
            continue
        names = {
            context.type: context.name for context in store.get_contexts_by_execution(execution.id)
        }
        node = names["node"].removeprefix(f"{names['pipeline']}.")
        # The files first: as long as they are there, the execution says so.
        _remove_written(root / node, execution.id)
        execution.last_known_state = Execution.CANCELED
        store.put_executions([execution])
        ended.append(f"{node} of the run {run_id}")
    return ended


def _remove_written(node: Path, execution: int) -> None:
    """Removes what TFX's launcher makes for an execution, and removes where one has ended."""
    outputs = [key / str(execution) for key in node.glob("*") if key.name != _SYSTEM]
    system = node / _SYSTEM
    # Those of no other execution: the node runs once at a time, and has ended.
    working = (system / "stateful_working_dir").glob("*")
    for path in (*outputs, *working, system / "executor_execution" / str(execution)):
        if path.exists():
            shutil.rmtree(path)
