"""A workdir that can only be read: before the run, and from a moment of it on."""

import pytest
from machine import ended, refused, seen, start, stopped

from benchmarks.soak import checks

pytestmark = pytest.mark.slow


def test_a_run_is_refused_at_once(disk):
    workdir = disk.path / "workdir"
    disk.protect()
    printed = refused(
        *ended(start(workdir)),
        f"The folder {str(workdir)!r} cannot be written: Read-only file system",
        "Give another one with --workdir.",
        by=2,
    )
    assert "▸" not in printed


def test_while_it_runs(disk):
    workdir = disk.path / "workdir"
    run = start(workdir)
    seen(run, "▸ StatisticsGen")
    disk.protect()
    refused(*ended(run), "Failed. StatisticsGen: ", "disk can only be read", "start again")
    disk.release()
    again = start(workdir)
    seen(again, "✓ Cifar100ExampleGen", "cached")
    stopped(again)
    assert not {"NEW", "RUNNING"} & set(checks.states(workdir))
