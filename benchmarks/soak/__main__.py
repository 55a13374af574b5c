"""`python -m benchmarks.soak`: goes on where it was stopped."""

import argparse
import json
import sys
import time
from pathlib import Path

from benchmarks.soak import soak
from benchmarks.soak.command import SETTINGS, served


def main() -> int:
    """Runs the soak; returns 0 if nothing was found, 1 if something was, 2 if time was up."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=soak.__doc__)
    parser.add_argument("folder", type=Path, help="of both runs, and of what is gone on from")
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="of this call")
    parser.add_argument("--out", type=Path, help="where the result is written, as JSON")
    options = parser.parse_args()
    deadline = time.monotonic() + 60 * options.minutes
    with served() as url:
        found = soak.go_on(
            options.folder.absolute(), url, SETTINGS, options.kills, options.seed, deadline
        )
    if found is None:
        return 2
    document = json.dumps(found, indent=1)
    print(document)
    if options.out:
        options.out.write_text(f"{document}\n", encoding="utf-8")
    return 1 if found["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
