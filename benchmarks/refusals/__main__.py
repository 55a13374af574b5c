"""`python -m benchmarks.refusals`: the table of what is refused, how, and after how long."""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.refusals.table import Refusal, render

ROOT = Path(__file__).parents[2]
RESULT = ROOT / "benchmarks" / "results" / "refusals.md"
# The rows are those of the tests, which say what the errors must hold.
sys.path += [str(ROOT / "tests"), str(ROOT / "tests" / "bad_input")]


def measure(name: str, folder: Path, places: dict[str, Path]) -> Refusal:
    """Runs a row's command and waits for its end.

    Args:
      name: the row's.
      folder: empty; what is given lies in it.
      places: as `places.lay_out` gives them.
    """
    from table import CASES

    program = str(Path(sys.executable).with_name("tfx-distill"))
    words = [program, *CASES[name].command(folder, places)]
    start = time.perf_counter()
    ran = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, timeout=600, encoding="utf-8"
    )
    seconds = time.perf_counter() - start
    return Refusal(name, ran.returncode, seconds, ran.stderr.replace(str(folder), "..."))


def main() -> None:
    """Measures all rows and writes the table."""
    import places as of_input
    from table import CASES

    parser = argparse.ArgumentParser(prog="python -m benchmarks.refusals", description=__doc__)
    parser.add_argument("--out", type=Path, default=RESULT, help="the table, as Markdown")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        given = Path(scratch, "places")
        given.mkdir()
        places = of_input.lay_out(given)
        refusals = []
        for name in CASES:
            folder = Path(scratch, str(len(refusals)))
            folder.mkdir()
            refusals.append(measure(name, folder, places))
            print(f"{refusals[-1].seconds:6.1f} s  {name}", flush=True)
    options.out.write_text(render(refusals), encoding="utf-8")


if __name__ == "__main__":
    main()
