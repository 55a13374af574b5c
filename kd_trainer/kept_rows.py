"""Rows of numbers on disk, found by a number of their own."""

import errno
import os
from pathlib import Path

import numpy as np

from kd_trainer.errors import DataError

INDEX_BYTES = 4  # of the index, a number


class KeptRows:
    """Float32 rows in a file to which new ones are appended, and an index of them.

    The index is written by `commit`, after the rows: whatever ends a process, a row that the index
    knows is whole.

    Args:
      folder: is made.
      numbers: how many rows there can be; their numbers are below.
      width: of a row.
      most: how many rows to keep; more that are there already stay.

    Raises:
      DataError: the file is shorter than the rows that the index knows.

    Attributes:
      count: how many are there.
      refused: whether there was no room for some.
      disk_full: whether the disk had none.
    """

    def __init__(self, folder: Path, numbers: int, width: int, most: int):
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._width, self._most = folder, width, most
        self.disk_full = self.refused = self._changed = False
        index = folder / "index.npy"
        self._places = np.load(index) if index.exists() else np.full(numbers, -1, "int32")
        self.count = self._before = int(self._places.max(initial=-1)) + 1
        self._file = os.open(folder / "rows", os.O_RDWR | os.O_CREAT)
        if (found := os.fstat(self._file).st_size) < self.bytes:
            os.close(self._file)
            raise DataError(
                f"{folder / 'rows'} has {found:,} bytes, but {index.name} beside it knows rows of "
                f"{self.bytes:,}: it was cut off or replaced. Delete the folder; its outputs are "
                "computed again."
            )
        # A hole until it is written; what an ended process wrote and did not commit is no row.
        os.ftruncate(self._file, self.count * self._row_bytes)
        size = max(self.count, most, 1)
        os.ftruncate(self._file, size * self._row_bytes)
        self._rows = np.memmap(folder / "rows", "float32", "r", shape=(size, width))

    @property
    def _row_bytes(self) -> int:
        return 4 * self._width

    @property
    def bytes(self) -> int:
        """What the rows take."""
        return self.count * self._row_bytes

    def has(self, numbers: np.ndarray) -> np.ndarray:
        """Returns which rows are there, bool `(n,)`."""
        return self._places[numbers] >= 0

    def had(self, numbers: np.ndarray) -> np.ndarray:
        """Returns which rows have been there from the start, bool `(n,)`."""
        return self.has(numbers) & (self._places[numbers] < self._before)

    def __getitem__(self, numbers: np.ndarray) -> np.ndarray:
        """Returns rows that are there, float32 `(n, width)`."""
        return self._rows[self._places[numbers]]

    def add(self, numbers: np.ndarray, rows: np.ndarray) -> None:
        """Keeps new rows, `(n, width)`, as far as there is room."""
        room = max(self._most - self.count, 0)
        self.refused |= len(rows) > room
        rows = np.asarray(rows[:room], "float32")
        if self.disk_full or not len(rows):
            return
        try:
            # Not through the map: where the disk is full that would kill the process.
            written = os.pwrite(self._file, rows.tobytes(), self.bytes) // self._row_bytes
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            written = 0
        self.disk_full = written < len(rows)
        self._places[numbers[:written]] = np.arange(self.count, self.count + written)
        self.count += written
        self._changed |= written > 0

    def commit(self) -> None:
        """Writes the index of what is there, unless it is as it was."""
        if not self._changed:
            return
        os.fsync(self._file)
        draft = self._folder / "index.draft"
        try:
            with open(draft, "wb") as file:
                np.save(file, self._places)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            self.disk_full = True
            draft.unlink(missing_ok=True)
            return
        os.replace(draft, self._folder / "index.npy")
        self._changed = False

    def close(self) -> None:
        """Commits, and gives back what the file was made longer by."""
        self.commit()
        del self._rows
        os.ftruncate(self._file, self.bytes)
        os.close(self._file)
