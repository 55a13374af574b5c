"""What weeks bring to a run: signals, kills, a second run beside it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from ml_metadata import metadata_store
from ml_metadata.proto.metadata_store_pb2 import Execution
from small_runs import sets

from benchmarks.soak import checks, soak
from benchmarks.soak.command import SETTINGS, served
from pipeline import pushes, store
from pipeline.history import History

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SMALL = {**SETTINGS, "data.limit": 300, "recipe.epochs": 2, "teacher.recipe": "{epochs: 2}"}


def words(workdir, settings):
    command = [sys.executable, "-m", "pipeline.cli", "run", "--workdir", str(workdir)]
    return command + sets(settings)


def processes_of_session(session):
    """Returns the processes of a session that are still at work."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, theirs = path.read_text(encoding="utf-8").rpartition(")")[2].split()[:4]
        except OSError:  # it has ended meanwhile
            continue
        if int(theirs) == session and state != "Z":
            found.append(path.parent.name)
    return found


def test_a_second_run_is_refused_and_sigterm_stops_the_first(tmp_path):
    settings = {**SMALL, "data.download": False, "recipe.epochs": 50}
    with subprocess.Popen(
        words(tmp_path, settings),
        cwd=ROOT,
        # Without what JAX sets in the process of the tests.
        env={name: text for name, text in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        encoding="utf-8",
    ) as first:
        assert any("task 2/50" in line for line in first.stdout)  # the baseline's second epoch
        second = subprocess.run(
            words(tmp_path, settings), cwd=ROOT, capture_output=True, text=True, encoding="utf-8"
        )
        assert second.returncode == 2
        assert f"in use by another run (process {first.pid} on " in second.stderr
        first.send_signal(signal.SIGTERM)
        printed, errors = first.communicate(timeout=100)
    assert first.returncode == 143, printed + errors
    assert errors == (
        "tfx-distill: stopped by SIGTERM; the same command goes on where this one was\n"
    )
    assert "Traceback" not in printed
    assert not processes_of_session(first.pid)
    assert {("Trainer.baseline", "task", 1), ("Trainer.baseline", "task", 2)} <= (
        checks.kept_epochs(tmp_path)
    )
    history = History(metadata_store.MetadataStore(store.default(tmp_path)))
    (run,) = history.runs
    assert {node.state for node in run.nodes} == {"COMPLETE", "CANCELED"}
    assert str(pushes.ending(history, run)) == "stopped at Trainer.baseline"
    assert not list((tmp_path / "pipelines" / "quick" / "Trainer.baseline").glob("[!.]*/*"))


def test_a_run_that_is_killed_again_and_again_goes_on(tmp_path):
    with served() as url:
        # This seed's are in the student's training, the profiler and the pusher.
        found = soak.go_on(tmp_path, url, SMALL, kills=3, seed=16, deadline=float("inf"))
    assert found["kills"] == 3, found
    assert not found["problems"], found
    at_work = {Execution.State.Name(state) for state in (Execution.NEW, Execution.RUNNING)}
    assert not at_work & set(found["executions"])
