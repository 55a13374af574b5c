"""Runs one adapter's subjects in a process of its own: `worker.py ADAPTER STUDENT TEACHER BATCH`.

An adapter is a Python file with a function `subjects(student, teacher, batch)` that returns, by
name, functions which run a training step and return its seconds. It may import what it likes: this
file needs the standard library alone, so that any interpreter can run it.

Prints the names as a line of JSON; then, for each line with a name, runs it and prints the seconds.
"""

import importlib.util
import json
import os
import sys


def main(adapter: str, student: str, teacher: str, batch: str) -> None:
    """Answers until the input ends."""
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    spec = importlib.util.spec_from_file_location("adapter", adapter)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    subjects = module.subjects(student, teacher, int(batch))
    print(json.dumps(list(subjects)), file=answers)
    for line in sys.stdin:
        print(subjects[line.strip()](), file=answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
