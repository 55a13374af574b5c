"""Times and memory, as ratios of one run: `python -m benchmarks.speed TABLE [options]`.

A table is printed, and written to `benchmarks/results/speed/`. Measure on a machine that does
nothing else.
"""

import argparse
from pathlib import Path

from benchmarks.speed import machine
from benchmarks.speed.tables import TABLES

RESULTS = Path(__file__).parents[1] / "results" / "speed"


def main() -> None:
    """Measures a table."""
    options = _options()
    table = TABLES[options.table]
    head = machine.header(table.TITLE)
    text = "\n".join([head, *table.lines(options), ""])
    print(text)
    out = options.out or RESULTS / f"{options.table}.md"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    tables = parser.add_subparsers(dest="table", required=True)
    for name, module in TABLES.items():
        table = tables.add_parser(name, help=module.TITLE)
        table.add_argument("--out", type=Path, help="default: benchmarks/results/speed/TABLE.md")
        module.add_options(table)
    return parser.parse_args()


if __name__ == "__main__":
    main()
