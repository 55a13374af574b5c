"""What must hold of a run that was killed, at every moment and in the end."""

import json
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
from ml_metadata import metadata_store
from ml_metadata.proto.metadata_store_pb2 import Artifact, Execution

from pipeline import store as run_store

NAME = "quick"
Epoch = tuple[str, str, int]


def files_of_versions(workdir: Path) -> list[frozenset[tuple[str, bool]]]:
    """Returns of each version in service its files' paths, and whether each holds anything."""
    found = []
    for version in (workdir / "serving" / NAME).glob("[0-9]*"):
        paths = [path for path in version.rglob("*") if path.is_file()]
        files = [(str(path.relative_to(version)), path.stat().st_size > 0) for path in paths]
        found.append(frozenset(files))
    return found


def kept_epochs(workdir: Path) -> set[Epoch]:
    """Returns the epochs that a start need not train again: node, stage, number."""
    found = set()
    folder = workdir / "checkpoints"
    states = [*folder.rglob("*.npz"), *folder.rglob("*.finished")]
    for path in states:
        with np.load(path) as state:
            for row in json.loads(str(state["position"]))["history"]:
                found.add((path.parent.name, row["stage"], row["epoch"]))
    return found


def printed_epochs(text: str) -> set[Epoch]:
    """Returns the epochs that a start has trained, from what it printed."""
    found, node = set(), ""
    for line in text.splitlines():
        words = line.split()
        if line.startswith("▸ "):
            node = words[1]
        elif line.startswith("    ") and len(words) > 2 and "images/s," in words:
            found.add((node, words[0], int(words[1].split("/")[0])))
    return found


def problems(disturbed: Path, undisturbed: Path) -> list[str]:
    """Compares two workdirs whose runs have ended; returns what is wrong, in sentences."""
    found = []
    weights = [_weights(workdir) for workdir in (disturbed, undisturbed)]
    pushed = len(files_of_versions(disturbed))
    if pushed != 1:
        found.append(f"{pushed} versions were pushed, expected 1")
    if weights[0] != weights[1]:
        found.append("the student is not that of the undisturbed run")
    return found + left(disturbed) + _repeated(disturbed)


def left(workdir: Path) -> list[str]:
    """Returns what stopped runs have left behind, in sentences."""
    store = metadata_store.MetadataStore(run_store.default(workdir))
    found = [
        f"execution {execution.id} ({execution.type}) is at work for ever"
        for execution in store.get_executions()
        if execution.last_known_state in (Execution.NEW, Execution.RUNNING)
    ]
    found += [f"{path} belongs to no artifact" for path in _orphans(workdir, store)]
    for folder in ("checkpoints", ".unfinished"):
        found += [f"{path} is left" for path in (workdir / folder).rglob("*") if path.is_file()]
    return found


def _repeated(workdir: Path) -> list[str]:
    """Returns which nodes were done again although all that they rest on was the same."""
    store = metadata_store.MetadataStore(run_store.default(workdir))
    found = []
    for context in store.get_contexts_by_type("execution_cache"):
        done = [
            execution.type
            for execution in store.get_executions_by_context(context.id)
            if execution.last_known_state == Execution.COMPLETE
        ]
        if len(done) > 1:
            found.append(f"{done[0]} was done {len(done)} times on the same")
    return found


def states(workdir: Path) -> Counter[str]:
    """Returns how many executions ended how."""
    store = metadata_store.MetadataStore(run_store.default(workdir))
    names = Execution.State.Name
    return Counter(names(execution.last_known_state) for execution in store.get_executions())


def _weights(workdir: Path) -> list[bytes]:
    """Returns the students' weights; a SavedModel of the same lays them out differently."""
    found = []
    for path in (workdir / "pipelines" / NAME / "DistillTrainer" / "model").glob("*/model.keras"):
        with zipfile.ZipFile(path) as archive:
            found.append(archive.read("model.weights.h5"))
    return found


def _orphans(workdir: Path, store: metadata_store.MetadataStore) -> list[str]:
    known = {item.uri for item in store.get_artifacts() if item.state == Artifact.LIVE}
    outputs = (workdir / "pipelines" / NAME).glob("[!.]*/[!.]*/[0-9]*")
    return sorted(str(path) for path in outputs if str(path) not in known)
