"""ML Metadata's file is held by another process: this one."""

import sqlite3
from contextlib import closing

import pytest
from machine import ended, refused, seen, start, stopped

from benchmarks.soak import checks
from pipeline import store

pytestmark = pytest.mark.slow

# TFX tries ten times to connect, each of which waits for half a minute.
TRYING_ONCE = "from tfx.orchestration import metadata; metadata._MAX_INIT_RETRY = 1"


def test_it_is_said_and_the_next_start_goes_on(tmp_path):
    run = start(tmp_path, code=TRYING_ONCE)
    seen(run, "▸ StatisticsGen")
    path = tmp_path / store.FILE_NAME
    with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        refused(
            *ended(run), "Failed. StatisticsGen: ", "locked by another process", "fuser", "again"
        )
        refused(*ended(start(tmp_path)), "database is locked", "fuser", by=2)
    again = start(tmp_path)
    seen(again, "✓ Cifar100ExampleGen", "cached")
    stopped(again)
    assert not {"NEW", "RUNNING"} & set(checks.states(tmp_path))
