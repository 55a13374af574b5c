"""The commands that look at pushed versions and at no ML Metadata."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from light_commands import heavy_modules

from components import provenance
from components.decision import Bound, Decision
from components.provenance import Provenance
from components.serving_versions import report_path, versions, withdrawal, withdrawn
from pipeline import cli

pytestmark = pytest.mark.light

ROOT = Path(__file__).parents[2]
RECIPE = {"epochs": 6, "batch_size": 64}
RUN = {
    "command": ["tfx-distill", "kubeflow", "submit"],
    "code": {"revision": "1a2b3c4", "modified": False, "fingerprint": "f" * 64},
    "environment": {
        "python": "3.10.13",
        "platform": "Linux",
        "cpu": "a CPU",
        "libraries": {"tensorflow": "2.16.1"},
    },
    "config": {
        "name": "cifar100",
        "seed": 3,
        "recipe": RECIPE,
        "data": {"schema_path": None},
        "teacher": {"network": "resnet32x4", "recipe": None},
    },
}
SUMMARY = {
    "student": "resnet8x4",
    "method": {"name": "rkd", "preset": "crd", "temperature": 4.0},
    "recipe": RECIPE,
    "seed": 5,
    "test": {"student": {"top1": 0.7351, "top5": 0.93}},
    "parameters": {"student": 1_200_000},
    "seconds": 812.0,
    "origins": {
        "examples": {
            "source": "/work/data/cifar.tar.gz",
            "archive_md5": "0" * 32,
            "data_fingerprint": "d" * 64,
            "counts": {"train": 50_000, "test": 10_000},
        },
        "teacher": None,
    },
}
DECISION = Decision(
    blessed=True,
    rebaseline=False,
    baseline="champion",
    champion_version="11",
    baseline_reason="version 11 is the newest pushed one",
    in_service="11",
    bounds=[
        Bound(
            key="gate.min_accuracy",
            metric="top-1 accuracy",
            subject="student",
            slice="overall",
            value=0.7351,
            bound=0.7,
            is_minimum=True,
            unit="share",
            passed=True,
            judge="TFMA",
        )
    ],
)
IMPORTED = {"file": "/nets/big.keras", "sha256": "e" * 64, "taps": '{"stage1": "add"}'}


class Versions:
    """A folder of versions, as a pipeline's pushes leave it."""

    def __init__(self, folder: Path):
        self.folder = folder

    def push(self, number: int, summary: Any = SUMMARY, decision: Decision = DECISION) -> Path:
        path = self.folder / str(number)
        path.mkdir(parents=True)
        (path / "saved_model.pb").write_text(f"graph {number}", encoding="utf-8")
        provenance.write(
            Provenance(
                time="2026-11-30T20:00:00+00:00",
                run_id="",
                run=RUN,
                decision=decision,
                summary=summary,
            ),
            str(path),
        )
        return path

    @property
    def in_service(self) -> list[str]:
        return [os.path.basename(path) for path in versions(str(self.folder))]


@pytest.fixture
def pushed(tmp_path: Path) -> Versions:
    made = Versions(tmp_path / "serving")
    made.push(12)
    made.push(17)
    return made


@pytest.fixture
def ask(pushed: Versions, capsys: pytest.CaptureFixture) -> Callable[..., tuple[int, str]]:
    """Runs a command on the folder; returns the exit status and what it printed."""

    def run(*words: str) -> tuple[int, str]:
        status = cli.main([*words, "--directory", str(pushed.folder)])
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    return run


def test_the_decision_on_a_version(ask: Callable, pushed: Versions) -> None:
    pushed.push(18, decision=DECISION.model_copy(update={"baseline_reason": "another"}))
    status, said = ask("explain")
    assert status == 0
    assert "Blessed: cifar100, version 18" in said
    assert "Baseline: another." in said
    status, said = ask("explain", "17")
    assert "version 17" in said
    assert "gate.min_accuracy" in said
    _, said = ask("explain", "17", "--json")
    document = json.loads(said)
    assert (document["version"], document["pipeline"], document["run"]) == ("17", "cifar100", None)
    assert document["bounds"] == DECISION.model_dump(mode="json")["bounds"]


def test_the_lineage_of_a_version(ask: Callable) -> None:
    _, said = ask("lineage", "12", "--json")
    document = json.loads(said)
    assert (document["version"], document["pipeline"]) == ("12", "cifar100")
    assert document["student"]["network"] == "resnet8x4"
    assert (document["student"]["seed"], document["teacher"]["seed"]) == (5, 3)
    assert document["teacher"]["origin"] == "trained"
    assert document["teacher"]["recipe"] == RECIPE
    assert document["examples"]["counts"] == {"train": 50_000, "test": 10_000}
    assert document["baseline"]["champion_version"] == "11"
    assert document["push"]["withdrawn"] is False
    status, said = ask("lineage")
    assert status == 0
    for part in (
        "cifar100, version 17, pushed",
        "resnet8x4",
        "top-1 on test: 73.51%",
        "rkd",
        "resnet32x4",
        "50,000 train",
        "d" * 64,
        "version 11",
        "revision 1a2b3c4",
    ):
        assert part in said
    assert "artifact" not in said


def test_a_teacher_that_was_imported_and_a_baseline_from_scratch(
    ask: Callable, pushed: Versions
) -> None:
    summary = {**SUMMARY, "origins": {**SUMMARY["origins"], "teacher": IMPORTED}}
    scratch = {"baseline": "from_scratch", "champion_version": "", "baseline_reason": "none yet"}
    pushed.push(18, summary=summary, decision=DECISION.model_copy(update=scratch))
    _, said = ask("lineage", "--json")
    document = json.loads(said)
    assert document["teacher"]["sha256"] == "e" * 64
    assert document["baseline"]["from_scratch"]["network"] == "resnet8x4"
    assert document["baseline"]["from_scratch"]["seed"] == 3
    _, said = ask("lineage")
    assert "imported from /nets/big.keras" in said
    assert "from scratch: none yet" in said


def test_where_the_report_lies(ask: Callable, pushed: Versions) -> None:
    status, said = ask("report")
    assert status == 2
    assert "Version 17" in said
    assert "no report" in said
    page = Path(report_path(str(pushed.folder / "17")))
    page.parent.mkdir()
    page.write_text("<html>", encoding="utf-8")
    assert ask("report") == (0, f"{page}\n")
    assert pushed.in_service == ["12", "17"]


def test_a_rollback(ask: Callable, pushed: Versions) -> None:
    status, said = ask("rollback", "--reason", "wrong on dogs")
    assert status == 0
    assert "Withdrawn: version 17" in said
    assert "In service: version 12" in said
    assert pushed.in_service == ["12"]
    record = withdrawal(str(pushed.folder / "17"))
    assert record["reason"] == "wrong on dogs"
    assert set(record) == {"reason", "user", "time"}
    _, said = ask("lineage", "17", "--json")
    push = json.loads(said)["push"]
    assert (push["withdrawn"], push["withdrawn_reason"]) == (True, "wrong on dogs")
    assert push["destination"] == str(pushed.folder / "17")
    assert ask("explain", "17")[0] == 0


def test_the_only_version_stays_unless_asked_for(ask: Callable, pushed: Versions) -> None:
    ask("rollback")
    status, said = ask("rollback")
    assert status == 2
    assert "the only one" in said
    assert pushed.in_service == ["12"]
    assert ask("rollback", "--last")[0] == 0
    assert pushed.in_service == []
    status, said = ask("rollback", "--last")
    assert status == 2
    assert "Nothing is in service" in said


KILLED = """
import os, signal, sys
from pipeline import cli

rename = os.rename

def killed(source, target):
    if sys.argv[2] == "moved":
        rename(source, target)
    os.kill(os.getpid(), signal.SIGKILL)

os.rename = killed
cli.main(["rollback", "--directory", sys.argv[1], "--reason", "first"])
"""


@pytest.mark.parametrize("when", ["before", "moved"])
def test_a_rollback_that_was_killed_withdraws_one_version(
    ask: Callable, pushed: Versions, when: str
) -> None:
    pushed.push(18)
    command = [sys.executable, "-c", KILLED, str(pushed.folder), when]
    assert subprocess.run(command, cwd=ROOT).returncode == -signal.SIGKILL
    if when == "before":
        assert pushed.in_service == ["12", "17", "18"]
        status, said = ask("rollback", "--reason", "second")
        assert status == 0
        assert "killed is finished" in said
    assert pushed.in_service == ["12", "17"]
    assert withdrawal(str(pushed.folder / "18"))["reason"] == "first"


def test_a_version_that_cannot_be_moved_stays(
    ask: Callable, pushed: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: str) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", refused)
        status, said = ask("rollback")
    assert status == 2
    assert "still in service" in said
    assert pushed.in_service == ["12", "17"]
    # Nothing tells of a withdrawal that was not.
    assert withdrawal(str(pushed.folder / "17")) is None
    assert not withdrawn(str(pushed.folder))


@pytest.mark.parametrize("command", ["explain", "lineage", "report"])
def test_a_version_that_is_not_there(ask: Callable, command: str) -> None:
    status, said = ask(command, "13")
    assert status == 2
    assert "no version '13'" in said
    assert "'12'" in said


@pytest.mark.parametrize("command", ["explain", "lineage"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, ["no provenance.json", "--workdir"]),
        ('{"format": 2}', ["format", "newer release"]),
        ("not JSON", ["provenance.json", "Invalid JSON"]),
    ],
)
def test_a_version_that_does_not_say(
    ask: Callable, pushed: Versions, command: str, content: str | None, words: list[str]
) -> None:
    file = pushed.folder / "17" / "provenance.json"
    if content is None:
        file.unlink()
    else:
        file.write_text(content, encoding="utf-8")
    status, said = ask(command)
    assert status == 2
    for part in words:
        assert part in said


@pytest.mark.parametrize("command", ["explain", "lineage", "report", "rollback"])
def test_a_directory_without_versions(command: str, tmp_path: Path, capsys: Any) -> None:
    assert cli.main([command, "--directory", str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_options_of_runs_are_refused(ask: Callable) -> None:
    status, said = ask("explain", "--metadata", "metadata.sqlite")
    assert status == 2
    assert "--metadata is of runs" in said
    assert ask("lineage", "--name", "quick")[0] == 2
    assert ask("rollback", "--name", "quick")[0] == 2
    with pytest.raises(SystemExit):
        ask("explain", "--workdir", "workdir")


@pytest.mark.parametrize("command", ["explain", "lineage", "rollback"])
def test_neither_tensorflow_nor_tfx_is_loaded(pushed: Versions, command: str) -> None:
    assert heavy_modules(command, "--directory", pushed.folder) == []
