import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from light_commands import heavy_modules
from ml_metadata import metadata_store
from ml_metadata.proto.metadata_store_pb2 import (
    Artifact,
    ArtifactType,
    Context,
    ContextType,
    Event,
    Execution,
    ExecutionType,
)

from components.serving_versions import versions, withdrawn
from pipeline import cli, withdrawal, workdir
from pipeline.store import sqlite

pytestmark = pytest.mark.light

ROOT = Path(__file__).parents[2]
# A rollback that is killed before, or just after, the folder is moved.
KILLED = """
import os, signal, sys
from pipeline import cli, withdrawal

move = withdrawal.withdraw

def killed(path, record):
    if sys.argv[2] == "moved":
        move(path, record)
    os.kill(os.getpid(), signal.SIGKILL)

withdrawal.withdraw = killed
cli.main(["rollback", "--workdir", sys.argv[1], "--reason", "first"])
"""


class Place:
    """A workdir with ML Metadata and a serving folder, as runs leave them."""

    def __init__(self, folder: Path):
        self.workdir = folder / "workdir"
        self.workdir.mkdir()
        self.serving = self.workdir / "serving" / "quick"
        self.store = metadata_store.MetadataStore(sqlite(self.workdir / "metadata.sqlite"))

    def push(self, number: int, pipeline: str = "quick", pushed: bool = True) -> Path:
        """What a run of the pipeline leaves that pushed, or was refused."""
        path = self.workdir / "serving" / pipeline / str(number)
        if pushed:
            path.mkdir(parents=True, exist_ok=True)
            (path / "saved_model.pb").write_text(f"graph {number}", encoding="utf-8")
        self.record(path, pipeline, pushed)
        return path

    def record(self, path: Path, pipeline: str = "quick", pushed: bool = True) -> None:
        store = self.store
        artifact = Artifact(
            type_id=store.put_artifact_type(ArtifactType(name="PushedModel")),
            uri=str(self.workdir / "pipelines" / path.name),
            state=Artifact.LIVE,
        )
        artifact.custom_properties["pushed"].int_value = int(pushed)
        if pushed:
            artifact.custom_properties["pushed_destination"].string_value = str(path)
            artifact.custom_properties["pushed_version"].string_value = path.name
        execution = Execution(
            type_id=store.put_execution_type(ExecutionType(name="Pusher")),
            last_known_state=Execution.COMPLETE,
        )
        context = Context(
            type_id=store.put_context_type(ContextType(name="pipeline")), name=pipeline
        )
        store.put_execution(
            execution,
            [(artifact, Event(type=Event.OUTPUT))],
            [context],
            reuse_context_if_already_exist=True,
        )

    def artifacts(self, path: Path) -> list[Artifact]:
        return [
            artifact
            for artifact in self.store.get_artifacts_by_type("PushedModel")
            if artifact.custom_properties["pushed_destination"].string_value == str(path)
        ]

    def rollbacks(self, state: int) -> list[Execution]:
        executions = self.store.get_executions_by_type("Rollback")
        return [execution for execution in executions if execution.last_known_state == state]

    def in_service(self) -> list[str]:
        return [Path(path).name for path in versions(str(self.serving))]


def properties(item: Any) -> dict[str, Any]:
    return {
        key: getattr(value, value.WhichOneof("value"))
        for key, value in item.custom_properties.items()
    }


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def rollback(place: Place, capsys: pytest.CaptureFixture) -> Callable[..., tuple[int, str]]:
    def run(*arguments: str) -> tuple[int, str]:
        status = cli.main(["rollback", "--workdir", str(place.workdir), *arguments])
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    return run


def test_the_newest_version_goes_and_the_one_before_is_in_service(
    place: Place, rollback: Callable
) -> None:
    # By number, not by text.
    old, new = place.push(999), place.push(1000)
    content = (new / "saved_model.pb").read_text(encoding="utf-8")
    status, printed = rollback("--reason", "answers cats with dogs")
    assert status == 0
    assert f"In service: version 999, at\n  {old}" in printed
    assert "Withdrawn: version 1000" in printed
    assert place.in_service() == ["999"]
    (moved,) = withdrawn(str(place.serving))
    assert Path(moved, "saved_model.pb").read_text(encoding="utf-8") == content

    (execution,) = place.rollbacks(Execution.COMPLETE)
    found = properties(execution)
    assert found["version"] == "1000"
    assert found["reason"] == "answers cats with dogs"
    assert found["user"]
    assert found["time"].endswith("+00:00")
    events = place.store.get_events_by_execution_ids([execution.id])
    (artifact,) = place.artifacts(new)
    assert [(event.type, event.artifact_id) for event in events] == [(Event.INPUT, artifact.id)]
    assert properties(artifact)["withdrawn"] == 1
    assert properties(artifact)["withdrawn_reason"] == "answers cats with dogs"
    assert properties(artifact)["pushed_version"] == "1000"  # nothing is lost
    (context,) = place.store.get_contexts_by_execution(execution.id)
    assert (context.type, context.name) == ("pipeline", "quick")
    # The other push is as it was.
    assert "withdrawn" not in properties(place.artifacts(old)[0])


def test_one_after_the_other(place: Place, rollback: Callable) -> None:
    for number in (1, 2, 3):
        place.push(number)
    assert rollback()[0] == 0
    assert rollback()[0] == 0
    assert place.in_service() == ["1"]
    assert [Path(path).name for path in withdrawn(str(place.serving))] == ["2", "3"]


def test_every_push_that_names_the_version_says_so(place: Place, rollback: Callable) -> None:
    place.push(1)
    path = place.push(2)
    place.record(path)  # a later run found it in service already
    place.push(3, pushed=False)
    assert rollback()[0] == 0
    artifacts = place.artifacts(path)
    assert [properties(artifact)["withdrawn"] for artifact in artifacts] == [1, 1]


def test_the_last_version_stays_unless_that_is_meant(place: Place, rollback: Callable) -> None:
    place.push(1)
    status, printed = rollback()
    assert status == 2
    assert "Version 1 is the only one" in printed
    assert "--last" in printed
    assert place.in_service() == ["1"]
    assert not place.rollbacks(Execution.RUNNING)
    status, printed = rollback("--last")
    assert status == 0
    assert "In service: nothing" in printed
    assert place.in_service() == []
    status, printed = rollback("--last")
    assert status == 2
    assert "Nothing is in service" in printed


def test_nothing_pushed_is_told_and_nothing_is_made(
    tmp_path: Path, place: Place, rollback: Callable, capsys: pytest.CaptureFixture
) -> None:
    place.push(1, pushed=False)
    status, printed = rollback()
    assert status == 2
    assert "Nothing has been pushed" in printed
    empty = tmp_path / "empty"
    assert cli.main(["rollback", "--workdir", str(empty)]) == 2
    assert f"There is no ML Metadata at '{empty}/metadata.sqlite'" in capsys.readouterr().err
    assert not empty.exists()


def test_the_pipeline_must_be_clear(place: Place, rollback: Callable) -> None:
    for number in (1, 2):
        place.push(number)
        place.push(number, pipeline="cifar100")
    status, printed = rollback()
    assert status == 2
    assert "Several pipelines have pushed: cifar100, quick. Choose one with --name" in printed
    status, printed = rollback("--name", "qiuck")
    assert status == 2
    assert "'qiuck'. Pipelines that have pushed: cifar100, quick" in printed
    assert rollback("--name", "cifar100")[0] == 0
    assert place.in_service() == ["1", "2"]
    assert [Path(path).name for path in withdrawn(str(place.serving.with_name("cifar100")))] == [
        "2"
    ]


def test_a_version_that_ml_metadata_does_not_know_stays(place: Place, rollback: Callable) -> None:
    place.push(1)
    foreign = place.serving / "2"
    foreign.mkdir()
    (foreign / "saved_model.pb").write_text("of another workdir", encoding="utf-8")
    status, printed = rollback()
    assert status == 2
    assert f"knows no push of {foreign}" in printed
    assert place.in_service() == ["1", "2"]


def test_not_while_a_run_is_at_work(place: Place, rollback: Callable) -> None:
    for number in (1, 2):
        place.push(number)
    with workdir.in_use(place.workdir):
        status, printed = rollback()
    assert status == 2
    assert "in use by another run" in printed
    assert place.in_service() == ["1", "2"]
    assert rollback()[0] == 0


def test_a_folder_that_cannot_be_moved_stays_in_service_and_on_record(
    place: Place, rollback: Callable
) -> None:
    place.push(1)
    new = place.push(2)
    (place.serving / ".withdrawn").write_text("a file where a folder belongs", encoding="utf-8")
    status, printed = rollback()
    assert status == 2
    assert "cannot be moved" in printed
    assert place.in_service() == ["1", "2"]
    assert len(place.rollbacks(Execution.CANCELED)) == 1
    assert "withdrawn" not in properties(place.artifacts(new)[0])


@pytest.mark.parametrize(("moment", "reason"), [("recorded", "second"), ("moved", "first")])
def test_a_rollback_that_was_killed_is_mended_by_the_next(
    place: Place, rollback: Callable, moment: str, reason: str
) -> None:
    for number in (1, 2, 3):
        place.push(number)
    newest = place.serving / "3"
    killed = subprocess.run([sys.executable, "-c", KILLED, place.workdir, moment], cwd=ROOT)
    assert killed.returncode == -9
    assert len(place.rollbacks(Execution.RUNNING)) == 1
    assert newest.exists() == (moment == "recorded")

    status, printed = rollback("--reason", "second")
    assert status == 0
    assert ("that was killed is finished" in printed) == (moment == "moved")
    # One version is withdrawn, not two, and record and folders agree.
    assert place.in_service() == ["1", "2"]
    assert [Path(path).name for path in withdrawn(str(place.serving))] == ["3"]
    assert not place.rollbacks(Execution.RUNNING)
    (execution,) = place.rollbacks(Execution.COMPLETE)
    assert properties(execution)["reason"] == reason
    (artifact,) = place.artifacts(newest)
    assert (properties(artifact)["withdrawn"], properties(artifact)["withdrawn_reason"]) == (
        1,
        reason,
    )
    # And then it is as if nothing had happened.
    assert rollback()[0] == 0
    assert place.in_service() == ["1"]


@pytest.mark.parametrize("moment", ["recorded", "moved"])
def test_a_rollback_that_was_killed_is_ended_by_the_next_run(place: Place, moment: str) -> None:
    for number in (1, 2):
        place.push(number)
    subprocess.run([sys.executable, "-c", KILLED, place.workdir, moment], cwd=ROOT)
    withdrawal.mend(place.store, str(place.serving.with_name("other")))
    assert len(place.rollbacks(Execution.RUNNING)) == 1
    withdrawal.mend(place.store, str(place.serving))
    assert not place.rollbacks(Execution.RUNNING)
    moved = moment == "moved"
    assert len(place.rollbacks(Execution.COMPLETE if moved else Execution.CANCELED)) == 1
    assert place.in_service() == (["1"] if moved else ["1", "2"])
    (artifact,) = place.artifacts(place.serving / "2")
    assert ("withdrawn" in properties(artifact)) == moved


def test_it_needs_neither_tfx_nor_tensorflow(place: Place) -> None:
    for number in (1, 2):
        place.push(number)
    assert heavy_modules("rollback", "--workdir", place.workdir) == []
