"""What the pod of `kubeflow doctor` looks at, on folders of this machine."""

import errno
import fcntl
import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.cluster import in_pod, volume

pytestmark = pytest.mark.light


@contextmanager
def nobody():
    """Makes this process one of a user who may not write anywhere, unless it is one already."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def work(tmp_path, monkeypatch):
    folder = tmp_path / "work"
    folder.mkdir()
    folder.chmod(0o2775)
    monkeypatch.setattr(in_pod, "WORKDIR", folder)
    return folder


def found(work):
    return {each.subject: (each.status, each.text) for each in in_pod.look_at_volume(work)}


def test_a_volume_that_will_do(work):
    assert {key: status for key, (status, _) in found(work).items()} == {
        "volume": "ok",
        "rename": "ok",
        "lock": "ok",
    }
    assert not list(work.iterdir())


def test_a_volume_that_is_not_there(work):
    status, text = found(work / "gone")["volume"]
    assert status == "failure"
    assert "chgrp 0 DIRECTORY" in text


def test_a_folder_that_may_not_be_written():
    # Not in pytest's folder, into which nobody else may look.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o555)
        with nobody():
            findings = found(Path(folder))
    status, text = findings["volume"]
    assert status == "failure"
    assert "Permission denied" in text
    assert "mode 40555" in text


def test_a_folder_that_the_group_may_not_write(work):
    work.chmod(0o755)
    status, text = found(work)["volume"]
    assert status == "warning"
    assert "not for its group" in text


@pytest.mark.parametrize(
    ("module", "call", "error", "subject", "words"),
    [
        (fcntl, "lockf", errno.ENOLCK, "lock", ("No locks available", "lockd")),
        (os, "rename", errno.ENOTSUP, "rename", ("not supported",)),
    ],
)
def test_a_file_system_without_locks_or_renames(
    work, monkeypatch, module, call, error, subject, words
):
    def refuse(*arguments):
        raise OSError(error, os.strerror(error))

    monkeypatch.setattr(module, call, refuse)
    status, text = found(work)[subject]
    assert status == "failure"
    assert all(word in text for word in words)


def test_a_lock_that_keeps_nobody_out(work, monkeypatch):
    monkeypatch.setattr(fcntl, "lockf", lambda *arguments: None)  # here; the other process is real
    status, text = found(work)["lock"]
    assert status == "failure"
    assert "does not keep another process out" in text


def test_a_file_system_in_user_space(work, tmp_path, monkeypatch):
    table = tmp_path / "mountinfo"
    table.write_text(f"560 552 0:91 / {work} rw - fuse.gcsfuse my-bucket rw\n", encoding="utf-8")
    monkeypatch.setattr(volume, "MOUNTS", table)
    status, text = found(work)["lock"]
    assert status == "failure"
    assert "fuse.gcsfuse" in text


@pytest.mark.parametrize(("value", "status"), [("open sesame", 0), ("", 2), (None, 2)])
def test_the_report(work, monkeypatch, capsys, value, status):
    monkeypatch.delenv("DOOR", raising=False)
    if value is not None:
        monkeypatch.setenv("DOOR", value)
    assert in_pod.main([json.dumps({"gpus": 0, "variables": ["DOOR"]})]) == status
    log = capsys.readouterr().out
    assert "open sesame" not in log
    # The launcher writes around it.
    report = in_pod.read(f"I0101 launcher\n{log}I0101 uploaded executor-logs\n")
    statuses = {each["subject"]: each["status"] for each in report["findings"]}
    assert statuses["secret_env"] == ("failure" if status else "ok")
    assert report["code"]["fingerprint"]


def test_a_log_without_a_report():
    assert in_pod.read("No module named pipeline.cluster.in_pod\n") is None
