import os
import subprocess
from pathlib import Path

import pytest

from components.run_recorder import origin
from pipeline import config, run_record, store
from pipeline.request import Request


def git(folder, *arguments):
    identity = ["-c", "user.name=me", "-c", "user.email=me@example.org"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, encoding="utf-8"
    ).stdout.strip()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A repository with a module of ours."""
    monkeypatch.setattr(origin, "_ROOT", tmp_path)
    monkeypatch.delenv(origin.REVISION_VARIABLE, raising=False)
    (tmp_path / "pipeline").mkdir()
    (tmp_path / "pipeline" / "cli.py").write_text("one\n", encoding="utf-8")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "one")
    return tmp_path


def code():
    document = run_record.document(config.load("quick"), [])["code"]
    return document["revision"], document["modified"]


def test_the_commit_that_runs(checkout):
    head = git(checkout, "rev-parse", "HEAD")
    assert code() == (head, False)
    (checkout / "workdir").mkdir()
    (checkout / "workdir" / "log").touch()  # is no code
    assert code() == (head, False)
    (checkout / "pipeline" / "cli.py").write_text("two\n", encoding="utf-8")
    assert code() == (head, True)


def test_a_new_module_is_a_modification(checkout):
    (checkout / "pipeline" / "new.py").touch()
    assert code()[1]


def test_without_a_checkout_the_image_says_it(tmp_path, monkeypatch):
    monkeypatch.setattr(origin, "_ROOT", tmp_path)
    monkeypatch.delenv(origin.REVISION_VARIABLE, raising=False)
    assert code() == ("", False)
    monkeypatch.setenv(origin.REVISION_VARIABLE, "b" * 40)
    assert code() == ("b" * 40, False)
    (tmp_path / ".git").write_text(
        "gitdir: /nowhere\n", encoding="utf-8"
    )  # a worktree without its repository
    assert code() == ("b" * 40, False)


def test_it_is_the_same_each_time():
    quick = config.load("quick")
    assert run_record.document(quick, ["a"]) == run_record.document(quick, ["a"])


def test_the_environment_and_the_whole_configuration():
    document = run_record.document(config.load("quick", ["seed=7"]), ["a"])
    assert document["command"] == ["a"]
    assert document["config"]["seed"] == 7
    assert document["config"]["method"]["temperature"] == 2
    assert set(document["environment"]) == {"python", "platform", "cpu", "libraries"}
    assert document["environment"]["libraries"]["tfx"]
    assert document["environment"]["cpu"]


OVERRIDES = [
    "method.name=fitnet",
    "data.path=here/cifar.tar.gz",
    "data.schema_path=/elsewhere/schema.pbtxt",
    "push.directory=null",
    "teacher={from: 'my models/big.keras', taps: {stage1: conv}}",
]


def test_the_command_can_be_typed_in_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    here = os.getcwd()
    command = run_record.command(Request("run", "quick", OVERRIDES, Path("/w")))
    assert command[:4] == ["tfx-distill", "run", "--preset", "quick"]
    assert command[-2:] == ["--workdir", "/w"]
    sets = command[5:-2:2]
    assert sets[:4] == [
        "method.name=fitnet",
        f"data.path={here}/here/cifar.tar.gz",
        "data.schema_path=/elsewhere/schema.pbtxt",
        "push.directory=null",
    ]
    again = config.load("quick", sets)
    assert again.teacher.file == f"{here}/my models/big.keras"
    assert again.teacher.taps == {"stage1": "conv"}
    # The recorded configuration is that of the command.
    original = run_record.document(config.load("quick", OVERRIDES), command)["config"]
    assert original == again.model_dump(mode="json")


def test_no_password_is_in_the_command(monkeypatch):
    monkeypatch.setenv("MYSQL_PWD", "")
    metadata = store.connect("mysql://me:secret@127.0.0.1/runs")
    command = run_record.command(Request("run", "quick", [], Path("/w"), metadata))
    assert command[-2:] == ["--metadata", "mysql://me@127.0.0.1:3306/runs"]
    assert "secret" not in str(command)
