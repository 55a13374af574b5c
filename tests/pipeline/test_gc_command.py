"""The command `gc`, in stores written by hand, with files where TFX puts them."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from light_commands import heavy_modules
from lineage_stores import Writer
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as mlmd

from pipeline import cli, garbage, workdir

pytestmark = pytest.mark.light

ROOT = Path(__file__).parents[2]
# A gc that is killed once ML Metadata was told, or half-way through a folder.
KILLED = """
import os, signal, sys
from pipeline import cli, garbage

def killed(path):
    if sys.argv[2] == "half":
        next(file for file in path.rglob("*") if file.is_file()).unlink()
    os.kill(os.getpid(), signal.SIGKILL)

garbage._remove = killed
cli.main(["gc", "--keep", "1", "--workdir", sys.argv[1]])
"""


class Workdir(Writer):
    """A workdir as runs leave it: each artifact in `pipelines/PIPELINE/NODE/KEY/EXECUTION`."""

    def __init__(self, folder: Path):
        folder.mkdir()
        super().__init__(folder, str(folder / "serving"))
        self.folder = folder
        self.store = metadata_store.MetadataStore(self.connection)

    def execution(self, contexts, state, inputs, outputs, properties) -> int:
        identity = super().execution(contexts, state, inputs, outputs, properties)
        pipeline, _, node = contexts[-1].name.partition(".")
        at = self.folder / "pipelines" / pipeline / node
        self.write(at / ".system" / "executor_execution" / str(identity) / "output.pb", 10)
        if state == "FAILED":
            self.write(at / "model" / str(identity) / "half", 1000)
        for key, artifact in outputs.items() if state == "COMPLETE" else ():
            old, artifact.uri = artifact.uri, str(at / key / str(identity))
            self.write(Path(artifact.uri, "file"), 100)
            if os.path.isdir(old):
                shutil.copytree(old, artifact.uri, dirs_exist_ok=True)
                shutil.rmtree(old)
            self.store.put_artifacts([artifact])
        return identity

    def write(self, file: Path, size: int, time: float | None = None) -> Path:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"x" * size)
        if time is not None:
            os.utime(file, (time, time))
        return file

    def whole(self, run_id, version="", pipeline="quick", cached=None, **training):
        """A run to its end, which pushes a version or is refused."""
        run = self.run(run_id, pipeline)
        run.record()
        run.serve_from_cache(cached) if cached else run.train(**training)
        run.judge(refused_by="" if version else "gate.min_accuracy")
        run.push(version)
        run.node("ModelReport", outputs={"report": self.artifact("components.ReportPage")})
        if version:
            self.write(Path(self.serving, pipeline, version, "saved_model.pb"), 50)
        return run

    def failed(self, run_id):
        run = self.run(run_id)
        run.record()
        run.node("Trainer.teacher", state="FAILED")
        return run

    def states(self) -> dict[int, int]:
        return {artifact.id: artifact.state for artifact in self.store.get_artifacts()}

    def files(self) -> set[str]:
        found = (path for path in self.folder.rglob("*") if path.is_file())
        kept = {"metadata.sqlite", ".lock"}
        return {str(path.relative_to(self.folder)) for path in found if path.name not in kept}


def artifacts(run):
    """The artifacts that a run put out."""
    return {key: each for outputs in run.outputs.values() for key, each in outputs.items()}


def has_files(run) -> set[bool]:
    """Whether the files of what a run put out are there: all, none, or some and some not."""
    return {
        Path(artifact.uri).exists()
        for outputs in run.outputs.values()
        for artifact in outputs.values()
    }


@pytest.fixture
def place(tmp_path):
    return Workdir(tmp_path / "workdir")


@pytest.fixture
def gc(place, capsys):
    def gc(*words):
        status = cli.main(["gc", "--workdir", str(place.folder), *words])
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    return gc


def test_the_newest_runs_stay_and_the_others_files_go(place, gc):
    runs = [place.whole(str(number)) for number in range(5)]
    status, printed = gc("--keep", "2")
    assert status == 0
    assert [has_files(run) for run in runs] == [{False}] * 3 + [{True}] * 2
    # Nor did TFX's own files of those runs stay.
    executions = {path.split("/")[5] for path in place.files() if ".system" in path}
    assert len(executions) == 2 * len(runs[0].outputs)
    states = place.states()
    for run in runs:
        expected = {mlmd.Artifact.LIVE if True in has_files(run) else mlmd.Artifact.DELETED}
        of_run = {each.id for outputs in run.outputs.values() for each in outputs.values()}
        assert {states[identity] for identity in of_run} == expected
    assert "Kept: 2 of 5 runs" in printed
    before = place.files()
    assert gc("--keep", "2")[1] == "Kept: 2 of 5 runs\nRemoved: 0 bytes\n"
    assert place.files() == before


def test_it_says_how_many_bytes_of_which_runs(place, gc):
    for number in range(2):
        place.whole(str(number))
    before = size(place.folder / "pipelines")
    _, printed = gc("--keep", "1")
    removed = before - size(place.folder / "pipelines")
    line, *_ = printed.splitlines()
    assert line.split()[:5] == ["0", "quick", "refused", "by", "gate.min_accuracy"]
    assert line.endswith(f"{removed / 1000:.1f} kB")
    assert printed.endswith(f"Removed: {removed / 1000:.1f} kB\n")


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_a_dry_run_says_the_same_and_touches_nothing(place, gc):
    for number in range(3):
        place.whole(str(number))
    before = place.files(), place.states()
    with workdir.in_use(place.folder):  # it need not wait for a run
        status, printed = gc("--keep", "1", "--dry-run")
    assert status == 0
    assert (place.files(), place.states()) == before
    assert gc("--keep", "1")[1] == printed.replace("Would be removed", "Removed")
    assert place.files() < before[0]


def test_what_a_version_rests_on_stays_as_long_as_the_version(place, gc):
    pushed = place.whole("1", version="100")
    withdrawn = place.whole("2", version="200")
    gone = place.whole("3", version="300")
    newest = place.whole("4")
    serving = Path(place.serving, "quick")
    (serving / ".withdrawn").mkdir()
    (serving / "200").rename(serving / ".withdrawn" / "200")
    shutil.rmtree(serving / "300")  # its owner wants it no more
    assert gc("--keep", "1")[0] == 0
    assert [has_files(run) for run in (pushed, withdrawn, gone, newest)] == [
        {True},
        {True},
        {False},
        {True},
    ]


def test_of_a_push_directory_that_is_not_mounted_every_version_counts(place, gc):
    pushed = place.whole("1", version="100")
    place.whole("2")
    shutil.rmtree(place.serving)
    assert gc("--keep", "1")[0] == 0
    assert has_files(pushed) == {True}
    os.makedirs(f"{place.serving}/quick")
    assert gc("--keep", "1")[0] == 0
    assert has_files(pushed) == {True}


def test_what_the_cache_served_to_a_run_that_stays_stays(place, gc):
    first = place.whole("1")
    second = place.whole("2", cached=first)
    assert gc("--keep", "1")[0] == 0
    assert has_files(second) == {True}
    still = {Path(each.uri).exists() for each in artifacts(first).values()}
    assert still == {True, False}
    trained = first.outputs["DistillTrainer"]["model"]
    assert place.states()[trained.id] == mlmd.Artifact.LIVE
    assert place.states()[first.outputs["RunRecorder"]["run_record"].id] == mlmd.Artifact.DELETED


def test_the_newest_run_that_ended_stays_however_many_failed_since(place, gc):
    older, ended = place.whole("1"), place.whole("2")
    failed = [place.failed(str(number)) for number in range(3, 6)]
    assert gc("--keep", "1")[0] == 0
    assert [has_files(run) for run in (older, ended, *failed)] == [
        {False},
        {True},
        {False},
        {False},
        {True},
    ]
    # What a failed node left is not an artifact, but it is a file.
    left = list((place.folder / "pipelines/quick/Trainer.teacher/model").glob("*/half"))
    assert len(left) == 1


def test_each_pipeline_counts_its_own_runs(place, gc):
    comparison = place.whole("1", pipeline="quick-compare")
    runs = [place.whole(str(number)) for number in range(2, 5)]
    assert gc("--keep", "1")[0] == 0
    assert has_files(comparison) == {True}
    assert [has_files(run) for run in runs] == [{False}, {False}, {True}]


def test_logs_and_checkpoints_of_before_the_newest_runs_go(place, gc):
    for number in range(3):
        place.whole(str(number))
    contexts = place.store.get_contexts_by_type("pipeline_run")
    old, middle, new = sorted(context.create_time_since_epoch / 1000 for context in contexts)
    logs = [place.write(place.folder / f"logs/{at}.log", 5, at) for at in (old, middle, new + 1)]
    states = [
        place.write(place.folder / f"checkpoints/quick/Trainer.teacher/{at}.npz", 5, at)
        for at in (old - 1, new + 1)
    ]
    outputs = place.write(place.folder / "teacher_outputs/abc/rows", 5, old - 1)
    archive = place.write(place.folder / "downloads/cifar-100-python.tar.gz", 5, old - 1)
    status, printed = gc("--keep", "2")
    assert status == 0
    assert [path.exists() for path in logs] == [False, True, True]
    assert [path.exists() for path in states] == [False, True]
    assert outputs.exists()
    assert archive.exists()
    assert "logs" in printed
    assert "checkpoints" in printed


def test_the_state_of_the_newest_run_stays_where_the_clock_was_set_back(place, gc):
    for number in range(3):
        place.whole(str(number))
    with closing(sqlite3.connect(place.folder / "metadata.sqlite")) as database, database:
        later = "create_time_since_epoch = create_time_since_epoch + 86400000"
        database.execute(f"UPDATE Context SET {later} WHERE name = '1'")
    state = place.write(place.folder / "checkpoints/quick/Trainer.teacher/1.npz", 5)
    assert gc("--keep", "2")[0] == 0
    assert state.exists()


def test_nothing_is_old_where_there_are_no_more_runs_than_stay(place, gc):
    place.whole("1")
    log = place.write(place.folder / "logs/1.log", 5, 1.0)
    before = place.files()
    assert gc("--keep", "1")[1] == "Kept: 1 of 1 runs\nRemoved: 0 bytes\n"
    assert place.files() == before
    assert log.exists()


def test_copies_of_what_the_user_gave_go_with_the_runs_that_used_them(place, gc):
    kinds = ("schemas", "students", "teachers")
    copies = {}
    for number in range(2):
        run = place.run(str(number))
        run.record()
        for kind in kinds:
            copies[number, kind] = place.folder / kind / (str(number) * 16)
            place.write(copies[number, kind] / "file", 10)
            run.node(kind, config=json.dumps({"file": str(copies[number, kind] / "file")}))
    half = place.write(place.folder / "teachers" / f".{'0' * 16}.partial" / "file", 10).parent
    assert gc("--keep", "1")[0] == 0
    assert [copies[0, kind].exists() for kind in kinds] == [False] * 3
    assert [copies[1, kind].exists() for kind in kinds] == [True] * 3
    assert not half.exists()


def test_an_imported_teacher_is_not_marked_for_its_importer_takes_it_up_again(place, gc):
    """The Importer re-uses the artifact of a URI whatever its state, and its readers want LIVE."""
    run = place.whole("1", teacher={"file": "/t.keras", "sha256": "s", "taps": "{}"})
    teacher = run.outputs["Importer.teacher"]["model"]
    teacher.uri = str(place.folder / "teachers" / ("a" * 16))
    place.write(Path(teacher.uri, "model.keras"), 10)
    place.store.put_artifacts([teacher])
    place.whole("2")
    assert gc("--keep", "1")[0] == 0
    assert not Path(teacher.uri).exists()
    assert place.states()[teacher.id] == mlmd.Artifact.LIVE


def test_nothing_of_another_workdir_goes(tmp_path, place, gc):
    ours = place.whole("1")
    other = tmp_path / "other" / "pipelines" / "quick"
    shutil.move(place.folder / "pipelines" / "quick", other)
    for artifact in place.store.get_artifacts():
        artifact.uri = artifact.uri.replace(str(place.folder), str(tmp_path / "other"))
        place.store.put_artifacts([artifact])
    runs = [place.whole(str(number)) for number in range(2, 4)]
    before = size(other)
    assert gc("--keep", "1")[0] == 0
    assert size(other) == before
    assert [has_files(run) for run in runs] == [{False}, {True}]
    gone = {place.states()[artifact.id] for artifact in artifacts(ours).values()}
    assert gone == {mlmd.Artifact.LIVE}


def test_with_the_metadata_of_other_runs_nothing_goes(tmp_path, place, capsys):
    place.whole("1")
    copy = place.write(place.folder / "teachers" / ("a" * 16) / "model.keras", 10)
    other = Workdir(tmp_path / "other")
    other.whole("1")
    before = place.files()
    words = ["--workdir", str(place.folder), "--metadata", str(other.folder / "metadata.sqlite")]
    assert cli.main(["gc", "--keep", "1", *words]) == 2
    assert "knows no run in the workdir" in capsys.readouterr().err
    assert copy.exists()
    assert place.files() == before


def test_a_workdir_may_be_reached_by_a_link(tmp_path, place, capsys):
    runs = [place.whole(str(number)) for number in range(2)]
    link = tmp_path / "link"
    link.symlink_to(place.folder)
    assert cli.main(["gc", "--keep", "1", "--workdir", str(link)]) == 0
    assert [has_files(run) for run in runs] == [{False}, {True}]


def test_not_while_a_run_is_at_work(place, gc):
    runs = [place.whole(str(number)) for number in range(2)]
    with workdir.in_use(place.folder):
        status, printed = gc("--keep", "1")
    assert status == 2
    assert "in use by another run" in printed
    assert [has_files(run) for run in runs] == [{True}] * 2


@pytest.mark.parametrize("keep", ["0", "-1"])
def test_a_run_must_stay(place, gc, keep):
    place.whole("1")
    status, printed = gc("--keep", keep)
    assert status == 2
    assert f"--keep: found {keep}, expected 1 or more" in printed


def test_where_nothing_was_run(tmp_path, capsys):
    assert cli.main(["gc", "--workdir", str(tmp_path / "none")]) == 2
    assert "nothing has been run there" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_a_file_that_cannot_be_removed_is_named_and_gc_goes_on_later(place, gc, monkeypatch):
    runs = [place.whole(str(number)) for number in range(3)]

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patched:  # root, who runs tests, may remove anything
        patched.setattr(garbage, "_remove", refuse)
        status, printed = gc("--keep", "1")
    assert status == 2
    assert "cannot be removed: Permission denied" in printed
    assert gc("--keep", "1")[0] == 0
    assert [has_files(run) for run in runs] == [{False}, {False}, {True}]


@pytest.mark.parametrize("moment", ["told", "half"])
def test_a_gc_that_was_killed_is_finished_by_the_next(place, gc, moment):
    runs = [place.whole(str(number)) for number in range(2)]
    killed = subprocess.run([sys.executable, "-c", KILLED, place.folder, moment], cwd=ROOT)
    assert killed.returncode == -9
    # No file goes of what the cache could still serve.
    states = place.states()
    first = artifacts(runs[0]).values()
    assert {states[artifact.id] for artifact in first} == {mlmd.Artifact.DELETED}
    assert gc("--keep", "1")[0] == 0
    assert [has_files(run) for run in runs] == [{False}, {True}]


@pytest.mark.parametrize("moment", ["told", "half"])
def test_a_copy_that_is_half_gone_is_not_taken_for_a_whole_one(place, gc, moment):
    copy = place.folder / "teachers" / ("a" * 16)
    place.write(copy / "model.keras", 10)
    place.write(copy / "labels", 10)
    place.run("1").record()
    killed = subprocess.run([sys.executable, "-c", KILLED, place.folder, moment], cwd=ROOT)
    assert killed.returncode == -9
    assert not copy.exists()  # so that the next run makes it
    place.write(copy / "model.keras", 10)
    assert gc("--keep", "1")[0] == 0
    assert not list(copy.parent.iterdir())


def test_the_other_commands_say_what_was_removed(place, gc, capsys):
    place.whole("1", version="100")
    shutil.rmtree(Path(place.serving, "quick", "100"))
    place.whole("2", version="200", fingerprint="e" * 64)

    def command(*words, status=0):
        assert cli.main([*words, "--workdir", str(place.folder)]) == status
        captured = capsys.readouterr()
        return captured.out + captured.err

    assert gc("--keep", "1")[0] == 0
    rows = json.loads(command("runs", "--json"))
    assert [(row["id"], row["removed"], row["version"]) for row in rows] == [
        ("1", True, "100"),
        ("2", False, "200"),
    ]
    assert "pushed 100, files removed" in command("runs")
    assert "removed by `tfx-distill gc`" in command("explain", "1", status=2)
    assert "still knows: pushed 100." in command("report", "1", status=2)
    tree = command("lineage", "100")
    assert tree.count("files removed by gc") >= 5
    assert "fingerprint of images and labels: " + "d" * 64 in tree
    assert json.loads(command("lineage", "100", "--json"))["student"]["removed"]
    assert "removed by gc" not in command("lineage", "200")
    compared = command("diff", "1", "2")
    assert "data_fingerprint" in compared
    assert "The files with the accuracies of 1 were removed by gc." in compared
    assert json.loads(command("diff", "1", "2", "--json"))["removed"] == ["1"]
    assert json.loads(command("diff", "2", "2", "--json"))["removed"] == []


def test_a_rollback_after_gc(place, gc, capsys):
    for number in (1, 2, 3):
        place.whole(str(number), version=f"{number}00")
    assert gc("--keep", "1")[0] == 0
    assert cli.main(["rollback", "--workdir", str(place.folder)]) == 0
    assert "In service: version 200" in capsys.readouterr().out
    assert gc("--keep", "1")[0] == 0
    for version in ("100", "200", "300"):
        assert cli.main(["lineage", version, "--workdir", str(place.folder)]) == 0
        assert "removed by gc" not in capsys.readouterr().out


def test_it_needs_neither_tfx_nor_tensorflow(place):
    place.whole("1")
    assert heavy_modules("gc", "--workdir", place.folder) == []
