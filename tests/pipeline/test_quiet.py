import subprocess
import sys

from pipeline.quiet import output_to


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
        [sys.executable, "-c", code, log], capture_output=True, text=True, check=True
    )
    assert result.stdout == "for the person\nafter\n"
    assert result.stderr == ""
    assert sorted(log.read_text().split()) == ["child", "native", "python"]


def test_restored_after_an_error(tmp_path, capfd):
    try:
        with output_to(tmp_path / "log"):
            raise KeyError
    except KeyError:
        print("visible")
    assert capfd.readouterr().out == "visible\n"
