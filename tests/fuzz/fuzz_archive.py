"""Fuzzes the archive reader by its coverage, with Atheris.

    .venv/bin/python tests/fuzz/fuzz_archive.py -max_total_time=60 NEW tests/fuzz/corpus/archive

reads the corpus, writes what reaches new code into the folder NEW, and what is found wrong into
`crash-*` in the current one. What is worth keeping goes into the corpus, which the tests replay.
`-help=1` lists libFuzzer's options.
"""

import sys
from pathlib import Path

import atheris

sys.path[:0] = [str(folder) for folder in Path(__file__).parents[1:3]]
with atheris.instrument_imports(include=["components", "tarfile", "pickle"]):
    import archive_target

if __name__ == "__main__":
    atheris.Setup([*sys.argv, "-max_len=65536", "-timeout=20"], archive_target.read)
    atheris.Fuzz()
