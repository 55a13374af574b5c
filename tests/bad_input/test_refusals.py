"""Every row of the table: its words, the exit status, and that nothing was begun."""

import subprocess
import sys
from pathlib import Path

import bad_images
import pytest
from table import CASES

from pipeline.cli import main

# One row is a model that is not built.
pytestmark = pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")

# A row of each kind is asked in a process of its own, where it is what a user sees.
IN_PROCESSES = [
    "archive: code, os.system",
    "archive: bomb, gzip",
    "configuration: a bomb of aliases",
    "network: a Lambda layer",
    "image: PNG, huge",
    "command line: negative trials",
]


@pytest.fixture
def asked(
    request: pytest.FixtureRequest, places: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[str], list[str]]:
    """The command line of a row, and the words that are to be said."""
    monkeypatch.chdir(tmp_path)
    # What is given lies in a folder of its own, so that what is written beside it is seen.
    case = CASES[request.param]
    words = case.command(tmp_path, places)
    return words, [word.replace("{file}", str(places["file"])) for word in case.expected]


def lying_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def begun(folder: Path, before: set[str]) -> set[str]:
    """What was written but for the lock and the log of a command that was refused."""
    new = lying_in(folder) - before
    return {path for path in new if path not in {"workdir", "workdir/.lock", "workdir/logs"}} - {
        path for path in new if path.startswith("workdir/logs/") and path.endswith(".log")
    }


def check_words(said: str, expected: list[str], folder: Path) -> None:
    # Without the folder's name, which is the row's.
    error = said.replace(str(folder), "...")
    for part in expected:
        assert part in error
    assert "tfx-distill" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("asked", CASES, indirect=True)
def test_refused(
    asked: tuple[list[str], list[str]], tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    words, expected = asked
    before = lying_in(tmp_path)
    try:
        status = main(words)
    except SystemExit as error:  # argparse's
        status = error.code
    said = capfd.readouterr()
    check_words(said.err, expected, tmp_path)
    assert status == 2
    assert said.out == ""
    assert begun(tmp_path, before) == set()


@pytest.mark.slow
@pytest.mark.parametrize("asked", IN_PROCESSES, indirect=True)
def test_refused_in_a_process_of_its_own(
    asked: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    words, expected = asked
    before = lying_in(tmp_path)
    command = [str(Path(sys.executable).with_name("tfx-distill")), *words]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, encoding="utf-8")
    check_words(ran.stderr, expected, tmp_path)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert begun(tmp_path, before) == set()


def test_debug_shows_where_an_error_comes_from(capfd: pytest.CaptureFixture) -> None:
    assert main(["--debug", "methods", "fitnets"]) == 2
    said = capfd.readouterr().err
    assert "Traceback" in said
    assert said.splitlines()[-1].startswith("tfx-distill: There is no method named 'fitnets'")


def test_what_nobody_foresaw_has_no_traceback_but_a_status(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr("pipeline.methods_command.list_methods", lambda: {}["lost"])
    assert main(["methods"]) == 1
    said = capfd.readouterr().err
    assert "Traceback" not in said
    assert "tfx-distill: KeyError: 'lost'" in said
    assert "tfx-distill --debug" in said
    assert main(["--debug", "methods"]) == 1
    assert "Traceback" in capfd.readouterr().err


def test_a_photo_of_a_printer_is_answered(places: dict, tmp_path: Path, capfd) -> None:
    photo = tmp_path / "cmyk.jpg"
    photo.write_bytes(bad_images.CMYK)
    assert main(["predict", str(photo), "--model", str(places["served"])]) == 0
    assert capfd.readouterr().out.startswith(f"{photo}: ")
