"""Draws mutants, runs the tests that reach them, and writes how many are noticed.

    make test-all
    python -m benchmarks.mutants --seed 26 --count 60 --coverage .coverage/data

Every mutant tried is a line of the `.jsonl` beside the table: a benchmark that was stopped
resumes, as long as neither code nor tests change.
"""

import argparse
import hashlib
import json
import os
import queue
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from itertools import cycle
from pathlib import Path
from typing import Any

import kd_trainer  # noqa: F401 (sets TensorFlow's environment, for the processes that run tests)
from benchmarks.mutants import table
from benchmarks.mutants.drawing import GROUPS, Mutant, draw
from benchmarks.mutants.runner import Outcome, Runner
from benchmarks.mutants.selection import Selection

ROOT = Path(__file__).parents[2]
OWN = ("components", "kd_trainer", "pipeline", "schemas")
LIBRARIES = (
    "tensorflow",
    "keras",
    "tfx.v1",
    "tensorflow_model_analysis",
    "ml_metadata",
    "hypothesis",
)


def main() -> None:
    """Tries the mutants that the ledger lacks and writes the table."""
    options = _options()
    ledger = options.out.with_suffix(".jsonl")
    origin = {"seed": options.seed, "code": code()}
    selection = Selection(ROOT, options.coverage)
    selected = {m: selection.tests(m) for m in draw(ROOT, GROUPS, options.count, options.seed)}
    lines = ledger.read_text(encoding="utf-8").splitlines() if ledger.exists() else []
    rows = {_key(row): row for row in map(json.loads, lines) if origin.items() <= row.items()}
    facts = {mutant: _facts(mutant, tests) for mutant, tests in selected.items()}
    drawn = [_key(fact) for fact in facts.values()]
    left = [mutant for mutant, fact in facts.items() if _key(fact) not in rows]

    processors = sorted(os.sched_getaffinity(0))
    idle: queue.SimpleQueue[Runner] = queue.SimpleQueue()

    def attempt(mutant: Mutant) -> Outcome:
        runner = idle.get()
        try:
            return runner.try_mutant(mutant, selected[mutant])
        finally:
            idle.put(runner)

    with ExitStack() as stack:
        jobs = min(options.jobs, len(left))
        folders = [stack.enter_context(tempfile.TemporaryDirectory()) for _ in range(jobs)]
        pool = stack.enter_context(ThreadPoolExecutor(options.jobs))
        for folder, processor in zip(folders, cycle(processors), strict=False):
            runner = Runner(ROOT, Path(folder), OWN, LIBRARIES, processor, options.limit)
            idle.put(stack.enter_context(runner))
        tried = {pool.submit(attempt, mutant): mutant for mutant in left}
        for future in as_completed(tried):
            row = {**origin, **facts[tried[future]], **future.result()._asdict()}
            rows[_key(row)] = row
            with open(ledger, "a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            print(f"{row['seconds']:6.1f} s  {row['result']}: {row['after']}", flush=True)
            options.out.write_text(
                table.render([rows[key] for key in drawn if key in rows]), encoding="utf-8"
            )
    options.out.write_text(table.render([rows[key] for key in drawn]), encoding="utf-8")
    print(options.out.read_text(encoding="utf-8"))


def code() -> str:
    """Returns a hash of the code and its tests."""
    digest = hashlib.sha256()
    for path in sorted(path for name in (*OWN, "tests") for path in ROOT.glob(f"{name}/**/*.py")):
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _facts(mutant: Mutant, tests: Sequence[str]) -> dict[str, Any]:
    names = ("group", "file", "line", "operator", "before", "after")
    return {name: getattr(mutant, name) for name in names} | {"tests": len(tests)}


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["file"], row["line"], row["operator"], row["before"], row["after"]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=26, help="of the draw (26)")
    parser.add_argument("--count", type=int, default=60, help="how many mutants (60)")
    parser.add_argument("--coverage", type=Path, required=True, help="data of coverage.py")
    parser.add_argument("--jobs", type=int, default=2, help="mutants at once (2)")
    parser.add_argument("--limit", type=float, default=600, help="seconds of a suite (600)")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "benchmarks" / "results" / "mutants.md", help="the table"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
