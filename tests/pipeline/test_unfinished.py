import json

import pytest
from lineage_stores import Writer
from ml_metadata import metadata_store

from pipeline import cli, unfinished
from pipeline.store import sqlite

pytestmark = pytest.mark.light


@pytest.fixture
def writer(tmp_path):
    return Writer(tmp_path)


@pytest.fixture
def root(tmp_path):
    return tmp_path / "pipelines" / "quick"


def states(writer):
    store = metadata_store.MetadataStore(writer.connection)
    return {each.id: each.State.Name(each.last_known_state) for each in store.get_executions()}


def killed(writer, root, run_id, state="RUNNING"):
    """A run that was killed in its second node, which is the newest execution; its files."""
    run = writer.run(run_id)
    run.record()
    run.node("Trainer.teacher", state=state)
    execution = max(states(writer))
    folder = root / "Trainer.teacher"
    written = [
        folder / "model" / str(execution) / "Format-Serving",
        folder / ".system" / "executor_execution" / str(execution) / ".temp",
        folder / ".system" / "stateful_working_dir" / "some-number",
    ]
    for path in written:
        path.mkdir(parents=True)
        (path / "half").write_text("half", encoding="utf-8")
    return execution, written


def note(writer, root, run_id):
    unfinished.note(root.parents[1], run_id, str(root), writer.connection)


@pytest.mark.parametrize("state", ["RUNNING", "NEW"])
def test_a_killed_run_is_ended_and_what_it_had_written_is_removed(
    writer, root, tmp_path, capsys, state
):
    execution, written = killed(writer, root, "1", state)
    finished = root / "Trainer.teacher" / "model" / "1" / "Format-Serving"
    finished.mkdir(parents=True)
    note(writer, root, "1")
    note(writer, root, "1")  # each of its nodes does
    assert unfinished.end(tmp_path, writer.connection) == ["Trainer.teacher of the run 1"]
    assert states(writer) == {1: "COMPLETE", execution: "CANCELED"}
    assert not any(path.exists() for path in written)
    assert finished.exists()
    assert unfinished.end(tmp_path, writer.connection) == []
    assert cli.main(["runs", "--json", "--workdir", str(tmp_path)]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["outcome"], row["node"]) == ("stopped", "Trainer.teacher")


def test_runs_of_other_workdirs_are_let_be(writer, root, tmp_path):
    ours, _ = killed(writer, root, "1")
    theirs, _ = killed(writer, root.parent / "other" / "quick", "2")
    note(writer, root, "1")
    unfinished.end(tmp_path, writer.connection)
    assert (states(writer)[ours], states(writer)[theirs]) == ("CANCELED", "RUNNING")


def test_what_another_metadata_knows_waits_for_a_start_with_that(writer, root, tmp_path):
    execution, written = killed(writer, root, "1")
    note(writer, root, "1")
    assert unfinished.end(tmp_path, sqlite(tmp_path / "other.sqlite")) == []
    assert not (tmp_path / "other.sqlite").exists()
    assert written[0].exists()
    unfinished.end(tmp_path, writer.connection)
    assert states(writer)[execution] == "CANCELED"


def test_a_run_that_was_killed_before_it_was_recorded_or_whose_record_is_gone(
    writer, root, tmp_path
):
    note(writer, root, "1")
    assert unfinished.end(tmp_path, writer.connection) == []
    note(writer, root, "2")
    (tmp_path / "metadata.sqlite").unlink()
    assert unfinished.end(tmp_path, writer.connection) == []
    assert not list((tmp_path / ".unfinished").iterdir())
