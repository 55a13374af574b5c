"""A teacher and a student architecture of the user's own, through the whole pipeline."""

import hashlib
import json
import shutil
import sys

import pytest
from small_runs import sets
from user_models import TAPS, model, saved, trained_teacher

from components.artifacts import DistillationSummary
from pipeline import cli

pytestmark = pytest.mark.slow

SETTINGS = {
    "data.limit": 400,
    "method.name": "fitnet",
    "method.taps": "[stage2]",
    "recipe.epochs": 1,
    "recipe.learning_rate": 0.01,
    "gate.min_accuracy": 0,
    "gate.min_change": -1,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The user's files, and the workdir."""
    folder = tmp_path_factory.mktemp("user")
    trained_teacher(folder)
    shutil.copyfile(folder / "teacher.keras", folder / "first.keras")
    saved(model(width=4), folder, "student")
    return folder


@pytest.fixture
def run(folder, capfd, monkeypatch):
    """Returns the exit status, what was printed, and the nodes: those executed and those cached."""

    def run(*arguments, **more):
        settings = {
            **SETTINGS,
            "teacher.from": folder / "teacher.keras",
            "teacher.taps": json.dumps(TAPS),
            "student.from": folder / "student.keras",
            "student.taps": json.dumps(TAPS),
        }
        words = sets(settings, **more)
        monkeypatch.setattr(sys, "argv", ["tfx-distill"])
        status = cli.main(["run", "--workdir", str(folder / "workdir"), *words, *arguments])
        captured = capfd.readouterr()
        printed = captured.out + captured.err
        ended = [line.split() for line in printed.splitlines() if line.startswith(("✓", "✗"))]
        cached = {words[1] for words in ended if words[-1] == "cached"}
        return status, printed, {words[1] for words in ended} - cached, cached

    return run


def test_1_they_go_through_to_service(run, folder):
    status, printed, executed, _ = run()
    assert status == 0, printed
    assert "quick: teacher.keras -> student.keras by fitnet (upstream)" in printed
    assert {"Importer.teacher", "Trainer.baseline", "DistillTrainer", "Pusher"} <= executed
    assert "Trainer.teacher" not in executed
    for row in ("teacher.keras", "student.keras, from scratch", "student.keras, fitnet"):
        assert row in printed
    [version] = (folder / "workdir" / "serving" / "quick").glob("[0-9]*")
    assert (version / "saved_model.pb").is_file()
    [summary] = (folder / "workdir").rglob(DistillationSummary.FILE_NAME)
    document = json.loads(summary.read_text(encoding="utf-8"))
    assert document["networks"] == {"teacher": "teacher", "student": "student"}
    assert document["test"]["teacher"]["top1"] > 0.15


def test_2_lineage_leads_to_the_users_file(folder, capfd):
    assert cli.main(["lineage", "--json", "--workdir", str(folder / "workdir")]) == 0
    teacher = json.loads(capfd.readouterr().out)["teacher"]
    file = folder / "teacher.keras"
    assert teacher["origin"] == "imported"
    assert teacher["file"] == str(file)
    assert teacher["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert json.loads(teacher["taps"]) == TAPS


def test_3_unchanged_files_train_nothing(run):
    status, printed, _, cached = run()
    assert status == 0, printed
    assert {"Importer.teacher", "Trainer.baseline", "DistillTrainer"} <= cached


def test_4_another_teacher_under_the_same_path_is_seen(run, folder):
    trained_teacher(folder, seed=1)
    status, printed, executed, cached = run()
    assert status == 0, printed
    assert {"Importer.teacher", "DistillTrainer"} <= executed
    assert "Trainer.baseline" in cached


def test_5_another_architecture_under_the_same_path_is_seen(run, folder):
    saved(model(width=6), folder, "student")
    status, printed, executed, cached = run()
    assert status == 0, printed
    assert {"Trainer.baseline", "DistillTrainer"} <= executed
    assert "Importer.teacher" in cached


def test_6_mistakes_are_told_before_anything_runs(run):
    status, printed, executed, _ = run(teacher__taps='{"stage2": "conv_x"}')
    assert (status, executed) == (2, set())
    assert "teacher.from=" in printed
    assert "conv_b  (8, 8, 16)" in printed


def test_7_a_dry_run_shows_them(run):
    status, printed, _, _ = run("--dry-run")
    assert status == 0
    assert "Importer.teacher" in printed
    assert "    stage2: conv_b" in printed
    assert "  from: " in printed


def test_8_a_teacher_that_gc_removed_is_taken_up_again(run, folder, capfd):
    workdir = folder / "workdir"
    first, *_ = sorted((workdir / "serving" / "quick").glob("[0-9]*"))
    shutil.rmtree(first)  # or what it rests on would stay
    assert len(list((workdir / "teachers").iterdir())) == 2
    assert cli.main(["gc", "--keep", "1", "--workdir", str(workdir)]) == 0
    assert len(list((workdir / "teachers").iterdir())) == 1
    capfd.readouterr()
    shutil.copyfile(folder / "first.keras", folder / "teacher.keras")
    status, printed, executed, cached = run()
    assert status == 0, printed
    assert "Importer.teacher" in cached
    assert "DistillTrainer" in executed
    assert len(list((workdir / "teachers").iterdir())) == 2
