"""Where the benchmark at full scale keeps things."""

from pathlib import Path
from typing import NamedTuple


class Files(NamedTuple):
    """Where things are kept.

    Attributes:
      ledger: the finished runs, JSON lines.
      teacher: the teacher's weights.
      state: the folder of what is not finished.
    """

    ledger: Path
    teacher: Path
    state: Path
