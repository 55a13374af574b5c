"""Subjects in processes of their own, one at work at a time."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.speed.paired import Subject

_WORKER = Path(__file__).with_name("worker.py")


class Started(NamedTuple):
    """What an adapter has: what it runs, and subjects by name."""

    versions: str
    subjects: dict[str, Subject]


@contextmanager
def started(
    python: str, adapter: Path, student: str, teacher: str, batch: int, method: str
) -> Iterator[Started]:
    """Starts an adapter's process and gives what it has.

    Args:
      python: the interpreter that has what the adapter imports.
      adapter: a file as `worker.py` takes it.
      student: a network's name.
      teacher: a network's name.
      batch: images a step.
      method: `plain` or a method's name.

    Raises:
      RuntimeError: the process ended.
    """
    command = [python, str(_WORKER), str(adapter), student, teacher, str(batch), method]
    # A script finds what lies beside it alone.
    paths = os.pathsep.join([str(_WORKER.parents[2]), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths},
        text=True,
        bufsize=1,
        encoding="utf-8",
    ) as process:

        def asked(name: str) -> str:
            print(name, file=process.stdin, flush=True)
            return answer()

        def answer() -> str:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"{adapter} ended; what it said is above.")
            return line

        try:
            said = json.loads(answer())
            yield Started(
                said["versions"],
                {name: lambda name=name: float(asked(name)) for name in said["subjects"]},
            )
        finally:
            process.stdin.close()
            process.wait(timeout=60)
