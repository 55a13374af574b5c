"""SIGTERM while several students train at once."""

import json
import re

import numpy as np
import pytest
from machine import seen, start, stopped

from benchmarks.soak import checks
from pipeline import termination

pytestmark = pytest.mark.slow

STUDENTS = {"soft_logits", "rkd"}
EPOCHS = 8


def compare(workdir):
    words = ("compare", f"--methods={','.join(STUDENTS)}", "--trials=1")
    return start(workdir, *words, recipe__epochs=EPOCHS)


def first_epochs(comparison):
    """Returns the number of the first epoch that each student trains."""
    seen(comparison, "▸ ClassroomTrainer.0")
    found = {}
    while set(found) != STUDENTS:
        line = seen(comparison, f"/{EPOCHS}  ").splitlines()[-1]
        student, epoch = re.match(rf"    (\w+) \w+ (\d+)/{EPOCHS}  ", line).groups()
        found.setdefault(student, int(epoch))
    return found


def kept_epochs(workdir):
    """Returns how many epochs the students need not train again."""
    positions = []
    for path in (workdir / "checkpoints").rglob("ClassroomTrainer.0/*.npz"):
        with np.load(path) as state:
            positions.append(json.loads(str(state["position"])))
    return sorted(position["epochs"] for position in positions)


def test_it_stops_at_once_and_goes_on_where_it_was(tmp_path):
    first = compare(tmp_path)
    assert set(first_epochs(first).values()) == {1}
    status, printed = stopped(first)
    assert status == termination.STATUS == 143, printed
    assert printed.splitlines()[-1] == termination.MESSAGE
    assert "Traceback" not in printed
    assert not {"NEW", "RUNNING"} & set(checks.states(tmp_path))
    kept = kept_epochs(tmp_path)
    assert len(kept) == len(STUDENTS)

    second = compare(tmp_path)
    assert sorted(first_epochs(second).values()) == [epochs + 1 for epochs in kept]
    stopped(second)
