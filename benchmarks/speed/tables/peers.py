"""Our steps against others' code, each at its default and at its best."""

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

from benchmarks.speed import options as shared
from benchmarks.speed import processes
from benchmarks.speed.paired import Rounds

TITLE = "Our steps against others' code"
HEAD = [
    "Each adapter runs in a process of its own, one at a time. Seconds are medians; ratios are",
    "theirs over ours of the same method in the same round: median [least-most]. Above 1 ours is",
    "the faster one.",
    "",
]
ADAPTERS = Path(__file__).parents[1] / "peers"
OURS = ADAPTERS / "ours.py"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what the table can be asked for."""
    shared.add_pair(parser, [128])
    shared.add_rounds(parser, 7)
    parser.add_argument(
        "--methods", nargs="+", default=["soft_logits"], help="`plain`, or a method's name"
    )
    parser.add_argument(
        "--peer",
        action="append",
        type=Path,
        default=[],
        metavar="PATH",
        help="an adapter, as benchmarks/speed/worker.py takes it; may be given many times",
    )
    parser.add_argument(
        "--python", default=sys.executable, help="the interpreter that runs the adapters"
    )


def lines(options: argparse.Namespace) -> list[str]:
    """Measures, and returns the table."""
    rows = []
    for batch in options.batches:
        for method in options.methods:
            rows += _rows(options, method, batch)
    setting = f"{options.teacher} -> {options.student}."
    return [setting, "", *HEAD, *rows]


def _rows(options: argparse.Namespace, method: str, batch: int) -> list[str]:
    with ExitStack() as stack:

        def start(python: str, adapter: Path) -> processes.Started:
            arguments = (options.student, options.teacher, batch, method)
            return stack.enter_context(processes.started(python, adapter, *arguments))

        ours = start(sys.executable, OURS).subjects
        theirs = [start(options.python, adapter) for adapter in options.peer]
        subjects = {**ours, **{k: v for peer in theirs for k, v in peer.subjects.items()}}
        rounds = Rounds(subjects, options.rounds)
    names = [f"over {name}" for name in ours]
    rows = [
        " ".join(peer.versions for peer in theirs if peer.subjects),
        "",
        f"| {method}, batch {batch} | step, s | {' | '.join(names)} |",
        "|---" * (len(ours) + 2) + "|",
    ]
    for name in subjects:
        ratios = " | ".join(str(rounds.ratio(name, own)) for own in ours)
        rows.append(f"| {name} | {rounds.median(name):.3f} | {ratios} |")
    print(*rows, sep="\n", flush=True)
    return [*rows, ""]
