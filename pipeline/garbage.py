"""What lies in a workdir and is needed no longer, and its removal.

ML Metadata is told first, so that TFX's cache serves nothing that is half gone; what a kill leaves
is found again, by the numbers of the executions that wrote it.
"""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2

from kd_trainer.errors import ConfigError
from pipeline import retention
from pipeline.history import History, Run

# Copies of what the user gave, by its content; a run that needs one and finds none makes it anew.
_INPUTS = ("schemas", "students", "teachers")


@dataclass(frozen=True)
class Garbage:
    """What is needed no longer.

    Attributes:
      here: the runs of the workdir.
      kept: those that keep their files.
      runs: each of the others that has files, with their paths.
      artifacts: ids of the artifacts that these are.
      inputs: schemas and networks of the user's own that only those runs used.
      logs: those from before the newest runs, whatever their pipeline.
      checkpoints: of trainings that were killed before the newest runs, and that none went on with.
    """

    here: list[Run]
    kept: list[Run]
    runs: list[tuple[Run, list[Path]]]
    artifacts: list[int]
    inputs: list[Path]
    logs: list[Path]
    checkpoints: list[Path]

    @property
    def paths(self) -> list[Path]:
        """All of it."""
        of_runs = [path for _, paths in self.runs for path in paths]
        return [*of_runs, *self.inputs, *self.logs, *self.checkpoints]


def find(history: History, workdir: Path, keep: int) -> Garbage:
    """Finds what is needed no longer.

    Args:
      history: the runs.
      workdir: nothing outside it is garbage.
      keep: how many of the newest runs of each pipeline keep their files.

    Raises:
      ConfigError: these are not the runs of this workdir.
    """
    pipelines = (workdir / "pipelines").resolve()
    here = [
        run
        for run in history.runs
        if run.outputs and retention.root(run).resolve() == pipelines / run.pipeline
    ]
    if not here:
        raise ConfigError(
            f"ML Metadata knows no run in the workdir {str(workdir)!r}, so that what lies there "
            "cannot be told apart. Give the ML Metadata of its runs with --metadata."
        )
    needed = retention.needed(history, keep)
    nodes = [node for run in needed for node in run.nodes]
    used = [each for node in nodes for each in (*node.inputs.values(), *node.outputs.values())]
    used_ids, used_paths = {each.id for each in used}, {Path(each.uri).resolve() for each in used}
    ids = {run.id for run in needed}
    others = [run for run in here if run.id not in ids]
    found = [
        (run, [path for path in _written(run, pipelines) if path not in used_paths])
        for run in others
    ]
    unused = {
        each.id
        for run in others
        for each in run.outputs
        if each.id not in used_ids
        and not each.removed
        and pipelines in Path(each.uri).resolve().parents
    }
    # The earliest: clocks are set back.
    newest = [run.started.timestamp() for run in here[-keep:]]
    since = min(newest) if len(here) > keep else 0
    return Garbage(
        here=here,
        kept=[run for run in here if run.id in ids],
        runs=[(run, paths) for run, paths in found if paths],
        artifacts=sorted(unused),
        inputs=_unused_inputs(workdir, [str(node.properties) for node in nodes]),
        logs=_older((workdir / "logs").glob("*.log"), since),
        checkpoints=_older((workdir / "checkpoints").glob("*/*/*"), since),
    )


def size(paths: Iterable[Path]) -> int:
    """Returns how many bytes files, and those in folders, have."""
    files = (file for path in paths for file in (path, *path.rglob("*")))
    return sum(file.lstat().st_size for file in files if not file.is_dir())


def remove(store: metadata_store.MetadataStore, garbage: Garbage) -> None:
    """Removes it.

    Args:
      store: ML Metadata, where the artifacts' state becomes DELETED.
      garbage: what `find` gave; the workdir is not in use since.

    Raises:
      ConfigError: a file cannot be removed.
    """
    artifacts = store.get_artifacts_by_id(garbage.artifacts)
    for artifact in artifacts:
        artifact.state = metadata_store_pb2.Artifact.DELETED
    store.put_artifacts(artifacts)
    try:
        for path in garbage.paths:
            _remove(_aside(path) if path in garbage.inputs else path)
    except OSError as error:
        raise ConfigError(
            f"{error.filename} cannot be removed: {error.strerror}. Let this user write to the "
            "folder that it is in, and start gc again: it goes on."
        ) from error


def _written(run: Run, pipelines: Path) -> Iterator[Path]:
    """Yields what a run's nodes wrote: artifacts, what failed nodes left, TFX's own files."""
    for node in run.nodes:
        folder = pipelines / run.pipeline / node.id
        yield from folder.glob(f"*/{node.execution}")
        yield from folder.glob(f".system/*/{node.execution}")


def _unused_inputs(workdir: Path, properties: list[str]) -> list[Path]:
    """Returns the copies of what the user gave that no text of the kept nodes' properties names."""
    # Sorted, so that what a kill left half gone goes before the folder that takes its name.
    folders = sorted(entry for name in _INPUTS for entry in (workdir / name).glob("*"))
    text = "\n".join(properties)
    return [path for path in folders if f"/{path.parent.name}/{path.name}" not in text]


def _older(paths: Iterable[Path], since: float) -> list[Path]:
    return sorted(path for path in paths if path.stat().st_mtime < since)


def _aside(path: Path) -> Path:
    """Renames a copy, as one is called that is being made: half gone it is not taken for whole."""
    if path.name.startswith("."):
        return path
    return path.rename(path.with_name(f".{path.name}.partial"))


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
