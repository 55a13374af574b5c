"""`gc` between real runs: what it removed is made again, what it kept is served."""

import json
import sys
from pathlib import Path

import pytest
from small_runs import SMALL, sets

from pipeline import cli

pytestmark = pytest.mark.slow

SMALLER = {**SMALL, "data.limit": 100}
REFUSED = {"gate__min_accuracy": 1}


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return tmp_path_factory.mktemp("workdir")


@pytest.fixture
def tfx_distill(workdir, capfd, monkeypatch):
    """Runs a command in this process; returns its status and what it printed."""

    def tfx_distill(*words):
        monkeypatch.setattr(sys, "argv", ["tfx-distill"])
        status = cli.main([*words, "--workdir", str(workdir)])
        return status, capfd.readouterr().out

    return tfx_distill


@pytest.fixture
def run(tfx_distill):
    """Returns a run's exit status, and the nodes that were executed."""

    def run(**settings):
        status, printed = tfx_distill("run", *sets(SMALLER, **settings))
        ended = [line.split() for line in printed.splitlines() if line.startswith("✓")]
        return status, {words[1] for words in ended if words[-1] != "cached"}

    return run


def students(workdir):
    return {int(path.name) for path in workdir.glob("pipelines/quick/DistillTrainer/model/*")}


def test_1_runs(run, workdir):
    assert run()[0] == 0
    status, executed = run(method__temperature=3, **REFUSED)
    assert status == 3
    assert "DistillTrainer" in executed
    assert "Trainer.teacher" not in executed
    assert run()[0] == 0
    assert len(students(workdir)) == 2


def test_2_gc_keeps_what_is_pushed_and_the_newest(tfx_distill, workdir):
    pushed, _ = sorted(students(workdir))
    status, printed = tfx_distill("gc", "--keep", "1")
    assert status == 0
    assert "Kept: 2 of 3 runs" in printed
    assert students(workdir) == {pushed}
    _, listed = tfx_distill("lineage", "--json")
    document = json.loads(listed)
    for part in ("student", "teacher", "examples", "schema", "gate", "baseline"):
        assert not document[part]["removed"]
        assert Path(document[part]["uri"]).is_dir()


def test_3_what_was_kept_is_served_from_the_cache(run):
    status, executed = run()
    assert status == 0
    assert not executed & {"Cifar100ExampleGen", "StatisticsGen", "DistillTrainer"}


def test_4_what_was_removed_is_made_again(run, tfx_distill, workdir):
    status, executed = run(method__temperature=3, **REFUSED)
    assert status == 3
    assert "DistillTrainer" in executed
    assert "Trainer.teacher" not in executed
    assert len(students(workdir)) == 2
    status, printed = tfx_distill("report")
    assert status == 0
    assert Path(printed.strip()).is_file()
