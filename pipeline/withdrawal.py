"""Withdrawals in ML Metadata: an execution of type Rollback on what was pushed.

The record and the folder cannot be changed in one step. The record comes first, in state RUNNING,
then the folder is moved, then the record is completed: what a kill leaves tells how far it was.
"""

import datetime
import getpass
import os
from collections.abc import Mapping

from ml_metadata import metadata_store
from ml_metadata.proto.metadata_store_pb2 import Artifact, Event, Execution, ExecutionType

from components.serving_versions import keep_in_service, withdraw, withdrawn_path
from kd_trainer.errors import ConfigError

_TYPE = "Rollback"


def pushes(store: metadata_store.MetadataStore) -> dict[str, list[Artifact]]:
    """Returns what each pipeline has pushed, oldest first, by the pipeline's name."""
    found = {}
    for context in store.get_contexts_by_type("pipeline"):
        artifacts = [
            artifact
            for artifact in store.get_artifacts_by_context(context.id)
            if artifact.type == "PushedModel" and artifact.custom_properties["pushed"].int_value
        ]
        if artifacts:
            found[context.name] = sorted(artifacts, key=lambda artifact: artifact.id)
    return found


def destination(push: Artifact) -> str:
    """Returns the path of the version that a push made, or found in service already."""
    return push.custom_properties["pushed_destination"].string_value


def version_of(execution: Execution) -> str:
    """Returns the path that the version had in service."""
    return execution.custom_properties["destination"].string_value


def record_and_withdraw(
    store: metadata_store.MetadataStore,
    pipeline: str,
    artifacts: list[Artifact],
    path: str,
    reason: str,
) -> None:
    """Takes a version out of service and leaves a record of it.

    Args:
      store: ML Metadata.
      pipeline: the name of the pipeline that pushed it.
      artifacts: the pushes that name it.
      path: the version's.
      reason: why, in the user's words.

    Raises:
      ConfigError: the folder cannot be moved.
    """
    record = record_of(reason)
    execution = _start(store, pipeline, artifacts, path, record)
    try:
        move(path, record)
    except ConfigError:
        abandon(store, execution)
        raise
    complete(store, execution)


def move(path: str, record: Mapping[str, str]) -> None:
    """Takes a version out of service.

    Args:
      path: the version's.
      record: as `record_of` gives it.

    Raises:
      ConfigError: the folder cannot be moved.
    """
    try:
        withdraw(path, record)
    except OSError as error:
        keep_in_service(path)
        raise ConfigError(
            f"{path} cannot be moved to {withdrawn_path(path)}: {error.strerror}. It is still in "
            "service. Let this user write to the folder that it is in."
        ) from error


def record_of(reason: str) -> dict[str, str]:
    """Returns the reason with the user and the time of a withdrawal that is made now."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    return {"reason": reason, "user": _user(), "time": now}


def unfinished(store: metadata_store.MetadataStore, pipeline: str) -> list[Execution]:
    """Returns the withdrawals that were killed, oldest first.

    Args:
      store: ML Metadata.
      pipeline: the pipeline's name.
    """
    context = store.get_context_by_type_and_name("pipeline", pipeline)
    executions = [
        execution
        for execution in store.get_executions_by_context(context.id)
        if execution.type == _TYPE and execution.last_known_state == Execution.RUNNING
    ]
    return sorted(executions, key=lambda execution: execution.id)


def has_moved(execution: Execution) -> bool:
    """Returns whether a withdrawal that was killed had moved the version already."""
    path = version_of(execution)
    return os.path.isdir(withdrawn_path(path)) and not os.path.exists(path)


def mend(store: metadata_store.MetadataStore, directory: str) -> None:
    """Ends the records of withdrawals that were killed: what a version came to is what they say.

    Args:
      store: ML Metadata.
      directory: the push destination; withdrawals from others are let be.
    """
    for execution in store.get_executions_by_type(_TYPE):
        running = execution.last_known_state == Execution.RUNNING
        if running and os.path.dirname(version_of(execution)) == directory:
            end = complete if has_moved(execution) else abandon
            end(store, execution)


def complete(store: metadata_store.MetadataStore, execution: Execution) -> None:
    """Completes the record of a version that has been moved, in one transaction."""
    events = store.get_events_by_execution_ids([execution.id])
    artifacts = store.get_artifacts_by_id([event.artifact_id for event in events])
    for artifact in artifacts:
        artifact.custom_properties["withdrawn"].int_value = 1
        artifact.custom_properties["withdrawn_reason"].CopyFrom(
            execution.custom_properties["reason"]
        )
    execution.last_known_state = Execution.COMPLETE
    store.put_execution(execution, [(artifact, None) for artifact in artifacts], [])


def abandon(store: metadata_store.MetadataStore, execution: Execution) -> None:
    """Closes the record of a version that was not moved."""
    keep_in_service(version_of(execution))
    execution.last_known_state = Execution.CANCELED
    store.put_executions([execution])


def _start(
    store: metadata_store.MetadataStore,
    pipeline: str,
    artifacts: list[Artifact],
    path: str,
    record: Mapping[str, str],
) -> Execution:
    execution = Execution(
        type_id=store.put_execution_type(ExecutionType(name=_TYPE)),
        last_known_state=Execution.RUNNING,
    )
    texts = {"version": os.path.basename(path), "destination": path, **record}
    for key, text in texts.items():
        execution.custom_properties[key].string_value = text
    inputs = []
    for index, artifact in enumerate(artifacts):
        steps = [Event.Path.Step(key="pushed_model"), Event.Path.Step(index=index)]
        inputs.append((artifact, Event(type=Event.INPUT, path=Event.Path(steps=steps))))
    context = store.get_context_by_type_and_name("pipeline", pipeline)
    identity, _, _ = store.put_execution(execution, inputs, [context])
    (started,) = store.get_executions_by_id([identity])
    return started


def _user() -> str:
    try:
        return getpass.getuser()
    except KeyError:  # a container's user may have no name
        return str(os.getuid())
