"""Which runs' artifacts are needed still.

A run's nodes name all that the run rests on, whoever made it and whenever: with the artifacts of
the run that pushed a version, all of that version's lineage is kept.
"""

import os
from itertools import groupby, islice
from pathlib import Path

from components.serving_versions import versions, withdrawn, withdrawn_path
from pipeline import pushes
from pipeline.history import Artifact, History, Run


def needed(history: History, keep: int) -> list[Run]:
    """Returns the runs of which everything is kept, oldest first.

    They are, of each pipeline in each workdir that ML Metadata knows, the newest ones, and the
    newest that came to its end, from which the next run takes what has not changed; and those that
    pushed a version that is in service, or withdrawn.

    Args:
      history: the runs.
      keep: how many newest runs of each pipeline.
    """
    runs = [run for run in history.runs if run.outputs]
    found = [push.run for push in pushes.pushes(history) if _is_there(push.artifact)]
    for _, group in groupby(sorted(runs, key=root), key=root):
        newest_first = list(group)[::-1]
        found += newest_first[:keep]
        found += islice((run for run in newest_first if _has_ended(history, run)), 1)
    ids = {run.id for run in found}
    return [run for run in runs if run.id in ids]


def root(run: Run) -> Path:
    """Returns the pipeline's folder in the workdir of a run that has put something out.

    Its first node is never served from another workdir, and URIs are `ROOT/NODE/KEY/EXECUTION`.
    """
    return Path(run.outputs[0].uri).parents[2]


def _has_ended(history: History, run: Run) -> bool:
    return pushes.ending(history, run).outcome not in ("failed", "unfinished")


def _is_there(pushed: Artifact) -> bool:
    """Returns whether a version that was pushed can be served, or could be put back.

    Of a push directory without any version nothing is known: it may not be mounted.
    """
    path = pushed.properties["pushed_destination"]
    directory = os.path.dirname(path)
    known = versions(directory) or withdrawn(directory)
    return not known or os.path.isdir(path) or os.path.isdir(withdrawn_path(path))
