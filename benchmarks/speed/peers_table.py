"""The soft-logits step against others' code, each at its default and at its best."""

import argparse
import sys
from contextlib import ExitStack
from pathlib import Path

from benchmarks.speed import processes
from benchmarks.speed.paired import Rounds

TITLE = "The soft-logits step against others' code"
HEAD = [
    "Each adapter runs in a process of its own, one at a time. Seconds are medians; ratios are the",
    "rounds': median [least-most].",
    "",
]
ADAPTERS = Path(__file__).with_name("peers")
OURS = ADAPTERS / "ours.py"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what the table can be asked for."""
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
    """Measures, and returns a table a batch size."""
    found = list(HEAD)
    for batch in options.batches:
        with ExitStack() as stack:

            def start(python: str, adapter: Path, stack=stack, batch=batch):
                return stack.enter_context(
                    processes.started(python, adapter, options.student, options.teacher, batch)
                )

            ours = start(sys.executable, OURS)
            theirs = {}
            for adapter in options.peer:
                theirs |= start(options.python, adapter)
            rounds = Rounds({**ours, **theirs}, options.rounds)
        found += [
            f"| batch {batch} | step, s | {' | '.join(f'over {name}' for name in ours)} |",
            "|---" * (len(ours) + 2) + "|",
        ]
        for name in (*ours, *theirs):
            ratios = " | ".join(str(rounds.ratio(name, own)) for own in ours)
            found.append(f"| {name} | {rounds.median(name):.3f} | {ratios} |")
        found.append("")
    return found
