"""The clock is set back a day between two pushes."""

import json
import shutil
import subprocess
import sys

import pytest
from machine import ROOT, ended, start

from benchmarks.soak import checks

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("faketime"), reason="needs the package faketime"),
]
# The time since the machine was started is not set back.
YESTERDAY = ("env", "FAKETIME_DONT_FAKE_MONOTONIC=1", "faketime", "-m", "-f", "-1d")


def pushed(workdir, *, before, method):
    status, printed = ended(start(workdir, before=before, method=method))
    assert status == 0, printed
    return printed


def versions(workdir):
    folder = workdir / "serving" / checks.NAME
    return sorted(int(version.name) for version in folder.glob("[0-9]*"))


def asked(workdir, *words):
    return subprocess.run(
        [*YESTERDAY, sys.executable, "-m", "pipeline.cli", *words, "--workdir", str(workdir)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ).stdout


def test_the_newest_stays_the_newest(tmp_path):
    pushed(tmp_path, before=(), method="soft_logits")
    (first,) = versions(tmp_path)
    pushed(tmp_path, before=YESTERDAY, method="attention_transfer")
    _, second = versions(tmp_path)
    assert second > first
    # The first student again: trained it is no more, compared it is with what is in service.
    printed = pushed(tmp_path, before=YESTERDAY, method="soft_logits")
    assert f"Baseline: version {second} is the newest" in printed
    *_, third = versions(tmp_path)
    assert third > second
    runs = json.loads(asked(tmp_path, "runs", "--json"))
    assert [run["version"] for run in runs] == [str(n) for n in (first, second, third)]
    assert {run["outcome"] for run in runs} == {"pushed"}
    asked(tmp_path, "rollback", "--reason", "a try")
    assert versions(tmp_path) == [first, second]
