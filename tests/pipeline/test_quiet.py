import os
import subprocess
import sys

import pytest

from pipeline.quiet import output_to

pytestmark = pytest.mark.light


def test_everything_goes_to_the_log_but_what_is_meant_for_the_terminal(tmp_path):
    code = """
import os, subprocess, sys
from pathlib import Path
from pipeline.quiet import output_to
with output_to(Path(sys.argv[1])) as terminal:
    print("python")
    os.write(2, b"native\\n")
    subprocess.run([sys.executable, "-c", "print('child')"], check=True)
    print("for the person", file=terminal)
print("after")
"""
    log = tmp_path / "logs" / "log"
    result = subprocess.run(
        [sys.executable, "-c", code, log],
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    assert result.stdout == "for the person\nafter\n"
    assert result.stderr == ""
    assert sorted(log.read_text(encoding="utf-8").split()) == ["child", "native", "python"]


def test_restored_after_an_error(tmp_path, capfd):
    try:
        with output_to(tmp_path / "log"):
            raise KeyError
    except KeyError:
        print("visible")
    assert capfd.readouterr().out == "visible\n"


def test_a_log_whose_disk_is_full_does_not_spill_onto_the_terminal(tmp_path):
    code = """
import sys
from pathlib import Path
from pipeline.quiet import output_to
with output_to(Path("/dev/full")) as terminal:
    print("noise")
    print("for the person", file=terminal)
print("after")
"""
    buffered = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=buffered,
        encoding="utf-8",
    )
    assert (result.stdout, result.stderr) == ("for the person\nafter\n", "")
