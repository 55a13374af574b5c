"""Many scheduled runs in one workdir, as a weekly job makes them, with `gc` in between.

    python -m benchmarks.longuse [--runs 100] [--minutes M] [--keep 5] [--gc-every 10]

Every run is a process of its own on real images, as small as it may be. Of five runs one has new
images, two a new seed, and two nothing new. Each finished run is a line of the ledger,
`<out>.jsonl`: what was stopped goes on where it was, in the same workdir; the table, `<out>.md`,
is of whatever is finished.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from benchmarks.longuse import table, week
from pipeline.garbage import size


def main() -> None:
    """Makes the runs that the ledger lacks, and writes the table."""
    options = _options()
    ledger = options.out.with_suffix(".jsonl")
    ledger.parent.mkdir(parents=True, exist_ok=True)
    runs = (
        [json.loads(line) for line in ledger.read_text(encoding="utf-8").splitlines()]
        if ledger.exists()
        else []
    )
    if runs and not options.workdir.is_dir():
        raise SystemExit(f"{ledger} has {len(runs)} runs, but {options.workdir} is gone: remove it")
    end = time.monotonic() + 60 * options.minutes
    longest = 0.0
    while len(runs) < options.runs and time.monotonic() + longest < end:
        start = time.monotonic()
        run = _run(len(runs), options)
        runs.append(run)
        with open(ledger, "a", encoding="utf-8") as file:
            file.write(json.dumps(run) + "\n")
        print(json.dumps(run), flush=True)
        longest = max(longest, time.monotonic() - start)
    text = table.render(runs, _command(options), _setting(options))
    options.out.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


def _run(number: int, options: argparse.Namespace) -> dict[str, Any]:
    measured = week.carry_out(week.command(number, options.workdir))
    run = {
        "change": week.change(number),
        "seconds": round(measured.seconds, 2),
        "cpu": round(measured.cpu, 2),
        "peak": measured.peak,
        "workdir": size([options.workdir]),
        "metadata": size([options.workdir / "metadata.sqlite"]),
    }
    if (number + 1) % options.gc_every:
        return run
    week.retire(options.workdir)
    collected = week.carry_out(
        ["gc", "--keep", str(options.keep), "--workdir", str(options.workdir)]
    )
    listed = week.carry_out(["runs", "--workdir", str(options.workdir)])
    serving = options.workdir / "serving"
    return run | {
        "gc": {
            "seconds": round(collected.seconds, 2),
            "listing": round(listed.seconds, 2),
            "metadata": size([options.workdir / "metadata.sqlite"]),
            "pipelines": size([options.workdir / "pipelines"]),
            "serving": size([serving]),
            "versions": len(list(serving.glob("*/[0-9]*"))),
            "logs": len(list((options.workdir / "logs").iterdir())),
        }
    }


def _command(options: argparse.Namespace) -> str:
    return (
        f"python -m benchmarks.longuse --runs {options.runs} --keep {options.keep} "
        f"--gc-every {options.gc_every}"
    )


def _setting(options: argparse.Namespace) -> str:
    settings = ", ".join(f"`{each.format(images='N', seed='S')}`" for each in week.SETTING)
    return (
        f"`tfx-distill run` with {settings}, from {week.IMAGES} images of each file of the sample "
        "on; of five runs one has an image more and `--rebaseline`, two a new seed, two nothing "
        f"new. After every {options.gc_every} runs all versions but the newest {week.VERSIONS} are "
        f"removed, and then `tfx-distill gc --keep {options.keep}` runs. Each run is a process of "
        "its own, its imports included."
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="how many in all (100)")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="start no run that may not end in time"
    )
    parser.add_argument("--keep", type=int, default=5, help="of gc (5)")
    parser.add_argument("--gc-every", type=int, default=10, metavar="N", help="runs (10)")
    parser.add_argument("--workdir", type=Path, default=Path("workdir/benchmarks/longuse"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/longuse/sample"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
