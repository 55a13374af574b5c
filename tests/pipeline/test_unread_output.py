"""Output that nobody reads, or that there is no room for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUFFERED = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}


def ended(words, folder, stdout):
    return subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *words],
        env={**BUFFERED, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [["methods"], ["run", "--preset", "quick", "--dry-run"]], ids=" ".join
)
def test_a_reader_who_has_enough_is_not_told_of_a_mistake(words, tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as pipe:
        result = ended(words, tmp_path, pipe)
    assert (result.returncode, result.stderr) == (1, "")


@pytest.mark.slow
def test_what_there_is_no_room_for_is_told(tmp_path):
    with open("/dev/full", "w", encoding="utf-8") as full:
        result = ended(["methods"], tmp_path, full)
    assert result.returncode == 1
    assert result.stderr.startswith("tfx-distill: The disk is full. Make room.")
    assert len(result.stderr.splitlines()) == 1


def test_a_mistake_is_told_even_so(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as pipe:
        result = ended(["run", "--preset", "nope"], tmp_path, pipe)
    assert result.returncode == 2
    assert result.stderr.startswith("tfx-distill: There is no preset named 'nope'.")


def ended_with_closed(streams, words, folder):
    command = [sys.executable, "-m", "pipeline.cli", *words]
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {streams}', "sh", *command],
        env={**BUFFERED, "PYTHONPATH": str(ROOT)},
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def test_a_mistake_is_told_where_the_output_is_closed(tmp_path):
    result = ended_with_closed(">&-", ["runs", "--workdir", str(tmp_path)], tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith("tfx-distill: ")
    assert str(tmp_path) in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("streams", [">&-", "<&- >&- 2>&-"])
def test_a_command_does_its_work_where_its_streams_are_closed(streams, tmp_path):
    words = ["run", "--preset", "quick", "--dry-run"]
    result = ended_with_closed(streams, words, tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
