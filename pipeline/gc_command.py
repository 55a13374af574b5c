"""The command `tfx-distill gc`."""

from pathlib import Path

from ml_metadata import metadata_store
from rich.console import Console
from rich.filesize import decimal
from rich.markup import escape
from rich.table import Table

from kd_trainer.errors import ConfigError
from pipeline import garbage, pushes
from pipeline import workdir as run_workdir
from pipeline.garbage import Garbage
from pipeline.history import History

_WIDTH = 1000


def collect(store: metadata_store.MetadataStore, workdir: Path, keep: int, dry_run: bool) -> int:
    """Removes what is needed no longer, and says what that is.

    Args:
      store: ML Metadata.
      workdir: of the runs.
      keep: how many of the newest runs of each pipeline keep their files.
      dry_run: say it, and remove nothing.

    Returns:
      The exit status, 0.

    Raises:
      ConfigError: `keep` is below 1, ML Metadata is that of other runs, a run is at work in the
        workdir, or a file cannot be removed.
    """
    if keep < 1:
        raise ConfigError(f"--keep: found {keep}, expected 1 or more: a run builds on the last.")
    workdir = workdir.absolute()
    if dry_run:
        history = History(store)
        found = garbage.find(history, workdir, keep)
        print(f"Would be removed: {decimal(_show(history, found))}")
        return 0
    run_workdir.check_writable(workdir)
    with run_workdir.in_use(workdir):
        history = History(store)
        found = garbage.find(history, workdir, keep)
        removed = _show(history, found)
        garbage.remove(store, found)
        print(f"Removed: {decimal(removed)}")
    return 0


def _show(history: History, found: Garbage) -> int:
    """Prints a line a run, and one for what else there is; returns how many bytes it all has."""
    rows = [
        (run.id, run.pipeline, str(pushes.ending(history, run)), garbage.size(paths))
        for run, paths in found.runs
    ]
    others = {
        "schemas and networks that only these used": found.inputs,
        "logs": found.logs,
        "checkpoints": found.checkpoints,
    }
    rows += [(what, "", "", garbage.size(paths)) for what, paths in others.items() if paths]
    table = Table(box=None, pad_edge=False, show_header=False)
    for justify in ("left", "left", "left", "right"):
        table.add_column(justify=justify)
    for *texts, size in rows:
        table.add_row(*map(escape, texts), decimal(size))
    console = Console(highlight=False, width=_WIDTH)
    if rows:
        console.print(table, crop=False)
    console.print(f"Kept: {len(found.kept)} of {len(found.here)} runs")
    return sum(size for *_, size in rows)
