"""A step whose processors are shared, limited or left without oneDNN, over an undisturbed one."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.speed import options as shared
from benchmarks.speed import processes
from benchmarks.speed.paired import Rounds, Subject

TITLE = "A step whose processors are shared or limited, over an undisturbed one"
HEAD = [
    "Each training is a process of its own. Seconds a step are medians; ratios are the rounds':",
    "median [least-most]. Two trainings beside each other on two processors, and one under a",
    "quota of one, have what an undisturbed one has on one processor: its ratio is their bound.",
    "",
    "| | step, s | over undisturbed |",
    "|---|---|---|",
]
OURS = Path(__file__).parents[1] / "peers" / "ours.py"
SUBJECT = "ours, float32"
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
HOST = 16
"""Processors of the host of which a pod has one; without `kd_trainer.processors` TensorFlow
starts as many threads."""
STEPS = 5


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what the table can be asked for."""
    shared.add_pair(parser, [64])
    shared.add_rounds(parser, 5)
    parser.add_argument("--method", default="plain", help="`plain`, or a method's name")


def lines(options: argparse.Namespace) -> list[str]:
    """Measures, and returns the table."""
    rows = []
    for size in options.batches:
        with ExitStack() as stack:

            def start(size: int = size, stack: ExitStack = stack) -> Subject:
                ours = processes.started(
                    *(sys.executable, OURS, options.student, options.teacher, size, options.method)
                )
                return stack.enter_context(ours).subjects[SUBJECT]

            rounds = Rounds(_subjects(start, stack), options.rounds)
        for name, label in _LABELS.items():
            if name in rounds.seconds:
                ratio = rounds.ratio(name, "undisturbed")
                rows.append(f"| {label} | {rounds.median(name):.3f} | {ratio} |")
    setting = f"{options.teacher} -> {options.student}, {options.method}"
    return [f"{setting}, batch {', '.join(map(str, options.batches))}.", "", *HEAD, *rows]


_LABELS = {
    "undisturbed": "undisturbed",
    "no oneDNN": "undisturbed, without oneDNN",
    "one thread": "undisturbed, on one processor",
    "two shared": "two beside each other, each on both processors",
    "two pinned": "two beside each other, each with a processor of its own",
    "quota, host": f"a quota of one processor, TensorFlow with {HOST} threads",
    "quota, ours": "a quota of one processor, threads by `kd_trainer.processors`",
}


def _subjects(start: Callable[[], Subject], stack: ExitStack) -> dict[str, Subject]:
    first, second, *_ = sorted(os.sched_getaffinity(0))
    with environment({"TF_ENABLE_ONEDNN_OPTS": "0"}):
        subjects = {"no oneDNN": _repeated([start()])}
    subjects["undisturbed"] = _repeated([start()])
    subjects["two shared"] = _repeated([start(), start()])
    with affinity({first}):
        pinned = [start()]
    subjects["one thread"] = _repeated(pinned)
    with affinity({second}):
        pinned.append(start())
    subjects["two pinned"] = _repeated(pinned)
    with quota(stack):
        with environment(dict.fromkeys(THREADS, str(HOST))):
            subjects["quota, host"] = _repeated([start()])
        subjects["quota, ours"] = _repeated([start()])
    return subjects


def _repeated(steps: Sequence[Subject]) -> Subject:
    """Returns a subject: seconds a step while all the processes train."""

    def several(step: Subject) -> float:
        return sum(step() for _ in range(STEPS)) / STEPS

    def subject() -> float:
        with ThreadPoolExecutor(len(steps)) as pool:
            return max(pool.map(several, steps))

    return subject


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Has processes that are started meanwhile see other environment variables."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def affinity(processors: set[int]) -> Iterator[None]:
    """Has processes that are started meanwhile run on these processors alone."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def quota(stack: ExitStack, processors: int = 1) -> Iterator[None]:
    """Has processes that are started meanwhile run under a CPU quota; needs root.

    Args:
      stack: removes the cgroup, once the processes have ended.
      processors: of the quota.
    """
    version_1, version_2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
    parent = version_1 if version_1.is_dir() else version_2
    group = parent / f"tfx-distill-{os.getpid()}"
    group.mkdir()
    stack.callback(group.rmdir)
    period = 100_000  # microseconds
    if parent == version_1:
        (group / "cpu.cfs_period_us").write_text(str(period), encoding="utf-8")
        (group / "cpu.cfs_quota_us").write_text(str(processors * period), encoding="utf-8")
    else:
        (group / "cpu.max").write_text(f"{processors * period} {period}", encoding="utf-8")
    (group / "cgroup.procs").write_text(str(os.getpid()), encoding="utf-8")
    try:
        yield
    finally:
        (parent / "cgroup.procs").write_text(str(os.getpid()), encoding="utf-8")
