"""A disk that is full: before the run, and while it trains."""

import pytest
from machine import ended, refused, seen, start

from benchmarks.soak import checks

pytestmark = pytest.mark.slow

FULL = "The disk is full. Make room."


def pushed(workdir):
    status, printed = ended(start(workdir, teacher__recipe="{epochs: 3}"))
    assert status == 0, printed
    assert len(checks.files_of_versions(workdir)) == 1
    assert not checks.left(workdir)
    return printed


def test_before_the_run(disk):
    workdir = disk.path / "workdir"
    disk.resize(3)
    refused(*ended(start(workdir)), FULL)
    assert not checks.files_of_versions(workdir)


def test_while_the_teacher_trains(disk):
    workdir = disk.path / "workdir"
    run = start(workdir, teacher__recipe="{epochs: 3}")
    seen(run, "task 2/3")
    disk.fill()
    refused(*ended(run), FULL, "✗ Trainer.teacher")
    assert not checks.files_of_versions(workdir)
    kept = checks.kept_epochs(workdir)
    assert ("Trainer.teacher", "task", 1) in kept
    disk.resize(600)
    assert not kept & checks.printed_epochs(pushed(workdir))
