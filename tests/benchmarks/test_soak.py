import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ml_metadata import metadata_store
from ml_metadata.proto.metadata_store_pb2 import Execution, ExecutionType

from benchmarks.soak import checks, soak
from benchmarks.soak.command import Command, Moment
from kd_trainer.checkpoint import Checkpoint, Position
from pipeline import store

pytestmark = pytest.mark.light

STARTS = {"": 0.0, "RunRecorder": 12.0, "Pusher": 14.0, "Trainer.baseline": 14.01, "end": 40.0}
PRINTED = """\
quick: resnet8 -> resnet8 by soft_logits (crd)
▸ RunRecorder
✓ RunRecorder               0.1 s
▸ Trainer.baseline
    task 1/6  accuracy 0.384  loss 2.459  task 2.233  val_accuracy 0.356  1329 images/s, 0:13 left
    task 2/6  accuracy 0.584  loss 2.059  task 1.833  val_accuracy 0.556  1329 images/s, 0:10 left
"""


@pytest.mark.parametrize("seed", range(5))
def test_moments_are_in_every_node_and_spread_over_the_course(seed: int) -> None:
    drawn = soak.moments(STARTS, 44, seed)
    assert drawn == soak.moments(STARTS, 44, seed) != soak.moments(STARTS, 44, seed + 5)
    at = [STARTS[moment.node] + moment.seconds for moment in drawn]
    assert at == sorted(at)
    assert {int(second) for second in at} == set(range(40))
    assert {moment.node for moment in drawn} == STARTS.keys() - {"end"}
    assert len(drawn) == 44


def test_few_moments_are_in_as_many_nodes() -> None:
    drawn = soak.moments(STARTS, 3, seed=0)
    assert len({moment.node for moment in drawn}) == 3


def test_where_it_was_killed(tmp_path: Path) -> None:
    command = Command(tmp_path / "workdir", "http://127.0.0.1:1", {})
    assert soak._where("data: a download", command) == "before the first node"
    assert soak._where(PRINTED, command) == "Trainer.baseline, after task 2/6"
    assert soak._where(PRINTED.split("    task")[0], command) == "Trainer.baseline"
    assert soak._where(PRINTED.split("▸ Trainer")[0], command) == "RunRecorder, after it"
    command.part.parent.mkdir(parents=True)
    command.part.touch()  # an earlier start's, so far
    assert soak._where("", command) == "before the first node"
    command.starts["download"] = 8.0
    assert soak._where("", command) == "download"


class Course(Command):
    """A download and two nodes, of which the second begins only long after the first has ended."""

    def _start(self, output):
        code = """
import pathlib, sys, time
part, seconds = pathlib.Path(sys.argv[1]), float(sys.argv[2])
if not part.with_suffix("").exists():
    part.parent.mkdir(parents=True)
    part.touch()
    time.sleep(seconds)
    part.rename(part.with_suffix(""))
print("▸ one\\n✓ one  0.0 s", flush=True)
time.sleep(60)
print("▸ two", flush=True)
"""
        return subprocess.Popen(
            [sys.executable, "-c", code, str(self.part), str(self._settings["download"])],
            stdout=output,
            start_new_session=True,
        )


def test_a_kill_in_the_download(tmp_path: Path) -> None:
    course = Course(tmp_path / "workdir", "", {"download": 60})
    assert course.run(until=Moment("download", 0.0)) == -9
    assert course.part.exists()
    assert course.starts.keys() == {"", "download", "end"}


def test_a_kill_comes_no_later_than_its_nodes_end(tmp_path: Path) -> None:
    course = Course(tmp_path / "workdir", "", {"download": 0})
    for _ in ("with the download", "and without one"):
        assert course.run(until=Moment("one", 1000.0)) == -9
        assert course.starts.keys() == {"", "download", "checks", "one", "end"}


def test_epochs_that_were_trained_and_that_need_not_be(tmp_path: Path) -> None:
    assert checks.printed_epochs(PRINTED) == {
        ("Trainer.baseline", "task", 1),
        ("Trainer.baseline", "task", 2),
    }
    rows = [{"stage": "task", "epoch": 1}]
    kept = Checkpoint(tmp_path / "checkpoints" / "quick" / "Trainer.baseline", "it")
    kept.save(Position(0, 1, rows, -1.0), [np.zeros(2)], [])
    assert checks.kept_epochs(tmp_path) == {("Trainer.baseline", "task", 1)}


def test_what_a_killed_run_leaves_is_found(tmp_path: Path) -> None:
    metadata = metadata_store.MetadataStore(store.default(tmp_path))
    kind = metadata.put_execution_type(ExecutionType(name="Trainer"))
    metadata.put_executions([Execution(type_id=kind, last_known_state=Execution.COMPLETE)])
    assert not checks.left(tmp_path)
    metadata.put_executions([Execution(type_id=kind, last_known_state=Execution.RUNNING)])
    half = tmp_path / "pipelines" / "quick" / "Trainer.teacher" / "model" / "2"
    half.mkdir(parents=True)
    state = tmp_path / "checkpoints" / "state.npz"
    state.parent.mkdir()
    state.write_text(json.dumps("kept"), encoding="utf-8")
    found = "\n".join(checks.left(tmp_path))
    for words in ("is at work for ever", f"{half} belongs to no artifact", f"{state} is left"):
        assert words in found


@pytest.mark.parametrize("broken", ["saved_model.pb", "variables/variables.index"])
def test_an_incomplete_version_is_not_like_a_complete_one(broken: str, tmp_path: Path) -> None:
    version = tmp_path / "serving" / "quick" / "1"
    for name in ("saved_model.pb", "variables/variables.index"):
        (version / name).parent.mkdir(parents=True, exist_ok=True)
        (version / name).write_text("whole", encoding="utf-8")
    [complete] = checks.files_of_versions(tmp_path)
    (version / broken).write_text("", encoding="utf-8")
    assert checks.files_of_versions(tmp_path) != [complete]
    (version / broken).unlink()
    assert checks.files_of_versions(tmp_path) != [complete]
