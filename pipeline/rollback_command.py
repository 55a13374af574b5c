"""The command `tfx-distill rollback`."""

import os
from pathlib import Path

from ml_metadata import metadata_store
from ml_metadata.proto.metadata_store_pb2 import Artifact

from components.serving_versions import versions, withdrawn_path
from components.serving_versions import withdrawal as withdrawal_record
from kd_trainer.errors import ConfigError
from pipeline import withdrawal
from pipeline import workdir as run_workdir


def rollback(
    store: metadata_store.MetadataStore, workdir: Path, name: str | None, reason: str, last: bool
) -> int:
    """Takes the newest version out of service; the one before it is in service again.

    A rollback that was killed once its version had been moved is finished, and no other version is
    withdrawn; one that was killed before that is done anew.

    Args:
      store: ML Metadata.
      workdir: of the runs that pushed.
      name: the pipeline's; None where the workdir's runs are all of one.
      reason: why, for the record.
      last: withdraw the version even if it is the only one.

    Returns:
      The exit status, 0.

    Raises:
      ConfigError: nothing has been pushed or is in service, the pipeline is unknown, a run is at
        work in the workdir, it is the only version, ML Metadata does not know the version, or its
        folder cannot be moved.
    """
    workdir = workdir.absolute()
    with run_workdir.in_use(workdir):
        name, pushes = _pipeline(store, name)
        # Where the newest push went; push.directory may have been another one before.
        directory = os.path.dirname(withdrawal.destination(pushes[-1]))
        for execution in withdrawal.unfinished(store, name):
            if withdrawal.has_moved(execution):
                withdrawal.complete(store, execution)
                print("A rollback that was killed is finished.")
                _tell(withdrawal.version_of(execution), directory)
                return 0
            withdrawal.abandon(store, execution)
        path = _newest(directory, last)
        artifacts = [push for push in pushes if withdrawal.destination(push) == path]
        if not artifacts:
            raise ConfigError(
                f"ML Metadata in {str(workdir)!r} knows no push of {path}: another workdir's run "
                "pushed it, or a run was killed as it pushed. Give that workdir with --workdir, "
                "or let the run go on, which records the push."
            )
        withdrawal.record_and_withdraw(store, name, artifacts, path, reason)
        _tell(path, directory)
    return 0


def rollback_in(directory: str, reason: str, last: bool) -> int:
    """Takes the newest version below a directory out of service, without ML Metadata.

    The record of it lies beside the version. A rollback that was killed is finished, and no other
    version is withdrawn.

    Args:
      directory: the push destination, such as that on a cluster's volume.
      reason: why, for the record.
      last: withdraw the version even if it is the only one.

    Returns:
      The exit status, 0.

    Raises:
      ConfigError: nothing is in service, it is the only version, or it cannot be moved.
    """
    path = versions(directory)[-1:]
    if path and (record := withdrawal_record(path[0])):
        print("A rollback that was killed is finished.")
    else:
        path, record = [_newest(directory, last)], withdrawal.record_of(reason)
    withdrawal.move(path[0], record)
    _tell(path[0], directory)
    return 0


def _pipeline(store: metadata_store.MetadataStore, name: str | None) -> tuple[str, list[Artifact]]:
    """Returns the pipeline's name and what it pushed."""
    pushes = withdrawal.pushes(store)
    known = ", ".join(sorted(pushes)) or "none"
    if name is None and len(pushes) == 1:
        (name,) = pushes
    if name is None and pushes:
        raise ConfigError(f"Several pipelines have pushed: {known}. Choose one with --name.")
    if name not in pushes:
        by = f"by the pipeline {name!r}" if name else "by a run in this workdir"
        raise ConfigError(f"Nothing has been pushed {by}. Pipelines that have pushed: {known}.")
    return name, pushes[name]


def _newest(directory: str, last: bool) -> str:
    paths = versions(directory)
    if not paths:
        raise ConfigError(f"Nothing is in service: {directory!r} holds no version.")
    if len(paths) == 1 and not last:
        raise ConfigError(
            f"Version {os.path.basename(paths[0])} is the only one in {directory!r}: without it "
            "nothing is in service. Withdraw it all the same with --last."
        )
    return paths[-1]


def _tell(path: str, directory: str) -> None:
    print(f"Withdrawn: version {os.path.basename(path)}, now at\n  {withdrawn_path(path)}")
    paths = versions(directory)
    if paths:
        print(f"In service: version {os.path.basename(paths[-1])}, at\n  {paths[-1]}")
    else:
        print("In service: nothing")
