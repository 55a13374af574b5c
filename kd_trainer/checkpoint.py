"""The state of training on disk, so that a killed run goes on where it was.

Order and augmentation are functions of the seed and the epoch, so that the variables, the
optimizer's included, are all the random state there is: a run that goes on ends with the same
result as one that was never killed.
"""

import hashlib
import io
import json
import os
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Variables = Sequence[Any]

_FINISHED = ".finished"
_PARTIAL = ".partial"


@dataclass(frozen=True)
class Position:
    """How far training is.

    Attributes:
      stage: number of the running stage, from 0.
      epochs: epochs of it that are done.
      history: the rows so far.
      best: accuracy of the best epoch, where that one is kept.
    """

    stage: int
    epochs: int
    history: list[dict[str, Any]]
    best: float


def digest(*parts: Any) -> str:
    """Returns a hash of what a training rests on.

    Args:
      *parts: arrays, and what JSON can hold.
    """
    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, np.ndarray):
            found.update(f"{part.dtype}{part.shape}".encode() + part.tobytes())
        else:
            found.update(json.dumps(part, sort_keys=True).encode())
    return found.hexdigest()


class Checkpoint:
    """One file in a folder, replaced after every epoch.

    Trainings of other configurations, code or data may share the folder: each finds its own state
    alone. Two runs may even train the same at the same time; they keep the same states.

    Args:
      directory: is made when first written to.
      subject: what `digest` gave of all that the training rests on.

    Attributes:
      file: where the state is.
      finished: where it is once `finish` has marked it.
    """

    def __init__(self, directory: Path, subject: str):
        self.file = directory / f"{subject[:16]}.npz"
        self.finished = self.file.with_suffix(_FINISHED)
        self._state: dict[str, np.ndarray] = {}

    def save(self, position: Position, variables: Variables, best: Sequence[np.ndarray]) -> None:
        """Replaces the state in one step; a kill leaves the one before.

        Args:
          position: how far training is.
          variables: what `restore` will fill, in the same order.
          best: the weights of the best epoch, or nothing.
        """
        self.file.parent.mkdir(parents=True, exist_ok=True)
        partial = self.file.with_suffix(f".{uuid.uuid4().hex}{_PARTIAL}")
        arrays: dict[str, Any] = {f"best{n}": value for n, value in enumerate(best)}
        arrays |= {f"variable{n}": np.asarray(value) for n, value in enumerate(variables)}
        # Packed in memory: NumPy leaves a file that it could not write to the end to Python's
        # collector, which prints a traceback of its own.
        packed = io.BytesIO()
        np.savez(packed, position=json.dumps(vars(position)), **arrays)
        try:
            partial.write_bytes(packed.getbuffer())
            os.replace(partial, self.file)
        finally:
            partial.unlink(missing_ok=True)

    def position(self) -> Position | None:
        """Reads the state; returns how far a killed run was, or None if there is none."""
        for path in (self.file, self.finished):
            with suppress(FileNotFoundError), np.load(path) as state:
                self._state = dict(state)
                return Position(**json.loads(str(self._state["position"])))
        return None

    def restore(self, variables: Variables) -> list[np.ndarray]:
        """Fills the variables and returns the weights of the best epoch, as `position` read them.

        Args:
          variables: those that were saved, in the same order.
        """
        for number, variable in enumerate(variables):
            variable.assign(self._state[f"variable{number}"])
        count = sum(name.startswith("best") for name in self._state)
        return [self._state[f"best{number}"] for number in range(count)]

    def clear(self) -> None:
        """Removes the state: the result is where it belongs."""
        self.file.unlink(missing_ok=True)
        self.finished.unlink(missing_ok=True)


def finish(*checkpoints: Checkpoint) -> None:
    """Marks the states of trainings whose results are written.

    They are kept, for the results count only when they are published: who is killed before goes on
    from there. Those that were finished before in the folder are removed.

    Args:
      *checkpoints: all of a node's, which share a folder.
    """
    kept = {checkpoint.finished for checkpoint in checkpoints}
    for checkpoint in checkpoints:
        with suppress(FileNotFoundError):  # it was finished before a kill
            os.replace(checkpoint.file, checkpoint.finished)
        for path in set(checkpoint.file.parent.glob(f"*{_FINISHED}")) - kept:
            path.unlink(missing_ok=True)


def sweep(directory: Path) -> None:
    """Removes what nobody will go on from: finished states, and what killed savings left.

    Args:
      directory: of states, none of which is used meanwhile; it need not exist.
    """
    for suffix in (_FINISHED, _PARTIAL):
        for path in directory.glob(f"*{suffix}"):
            path.unlink()
