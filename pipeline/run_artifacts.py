"""The runs in ML Metadata and what came out of each; needs neither TFX nor TensorFlow."""

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2

from kd_trainer.errors import ConfigError, nearest

_ENDED = (metadata_store_pb2.Execution.COMPLETE, metadata_store_pb2.Execution.CACHED)


def run_ids(store: metadata_store.MetadataStore) -> list[str]:
    """Returns the ids of the runs of all pipelines, oldest first."""
    contexts = store.get_contexts_by_type("pipeline_run")
    return [context.name for context in sorted(contexts, key=lambda context: context.id)]


def pipeline_name(store: metadata_store.MetadataStore, run_id: str) -> str:
    """Returns the name of the pipeline that a run is of."""
    executions = store.get_executions_by_context(_run(store, run_id).id)
    contexts = store.get_contexts_by_execution(executions[0].id)
    return next(context.name for context in contexts if context.type == "pipeline")


def outputs(
    store: metadata_store.MetadataStore, run_id: str
) -> dict[str, dict[str, metadata_store_pb2.Artifact]]:
    """Returns the artifacts of a run, by node and output key, of cached nodes too.

    Args:
      store: ML Metadata.
      run_id: the pipeline run's id.

    Raises:
      ConfigError: there is no such run; the known ones are named.
    """
    found: dict[str, dict[str, metadata_store_pb2.Artifact]] = {}
    for execution in store.get_executions_by_context(_run(store, run_id).id):
        if execution.last_known_state not in _ENDED:
            continue
        named = {
            context.type: context.name for context in store.get_contexts_by_execution(execution.id)
        }
        node = named["node"].removeprefix(f"{named['pipeline']}.")
        events = [
            event
            for event in store.get_events_by_execution_ids([execution.id])
            if event.type == metadata_store_pb2.Event.OUTPUT
        ]
        artifacts = store.get_artifacts_by_id([event.artifact_id for event in events])
        by_id = {artifact.id: artifact for artifact in artifacts}
        found[node] = {event.path.steps[0].key: by_id[event.artifact_id] for event in events}
    return found


def _run(store: metadata_store.MetadataStore, run_id: str) -> metadata_store_pb2.Context:
    run = store.get_context_by_type_and_name("pipeline_run", run_id)
    if run is None:
        raise ConfigError(f"There is no run {run_id!r}. {nearest(run_id, run_ids(store))}")
    return run
