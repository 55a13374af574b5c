"""Runs one adapter's subjects: `worker.py ADAPTER STUDENT TEACHER BATCH METHOD`.

An adapter is a Python file with a function `subjects(student, teacher, batch, method)` that
returns, by name, functions which run a training step of the method (`plain` is none) and return
its seconds; it returns none of a method that it has not. Its `VERSIONS` is a sentence on what it
runs. It may import what it likes: this file needs the standard library alone, so that any
interpreter can run it.

Prints the versions and the names as a line of JSON; then, for each line with a name, runs it and
prints the seconds.
"""

import importlib.util
import json
import os
import sys


def main(adapter: str, student: str, teacher: str, batch: str, method: str) -> None:
    """Answers until the input ends."""
    # What libraries print must not get between the answers.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    spec = importlib.util.spec_from_file_location("adapter", adapter)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    subjects = module.subjects(student, teacher, int(batch), method)
    print(json.dumps({"versions": module.VERSIONS, "subjects": list(subjects)}), file=answers)
    for line in sys.stdin:
        print(subjects[line.strip()](), file=answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
