"""The state of training on disk, so that a killed run goes on where it was.

Order and augmentation are functions of the seed and the epoch, so that the variables, the
optimizer's included, are all the random state there is: a run that goes on ends with the same
result as one that was never killed.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Variables = Sequence[Any]


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


class Checkpoint:
    """One file in a folder, replaced after every epoch.

    Args:
      directory: is made when first written to.
    """

    def __init__(self, directory: Path):
        self._file = directory / "training.npz"

    def save(self, position: Position, variables: Variables, best: Sequence[np.ndarray]) -> None:
        """Replaces the state in one step; a kill leaves the one before.

        Args:
          position: how far training is.
          variables: what `restore` will fill, in the same order.
          best: the weights of the best epoch, or nothing.
        """
        self._file.parent.mkdir(parents=True, exist_ok=True)
        partial = self._file.with_suffix(".partial")
        arrays = {f"variable{n}": np.asarray(value) for n, value in enumerate(variables)}
        arrays |= {f"best{n}": value for n, value in enumerate(best)}
        with open(partial, "wb") as file:
            np.savez(file, position=json.dumps(vars(position)), **arrays)
        os.replace(partial, self._file)

    def position(self) -> Position | None:
        """Returns how far a killed run was, or None if there is none."""
        if not self._file.exists():
            return None
        with np.load(self._file) as state:
            return Position(**json.loads(str(state["position"])))

    def restore(self, variables: Variables) -> list[np.ndarray]:
        """Fills the variables and returns the weights of the best epoch.

        Args:
          variables: those that were saved, in the same order.
        """
        with np.load(self._file) as state:
            for number, variable in enumerate(variables):
                variable.assign(state[f"variable{number}"])
            count = sum(name.startswith("best") for name in state.files)
            return [state[f"best{number}"] for number in range(count)]

    def clear(self) -> None:
        """Removes the state: the run has ended."""
        self._file.unlink(missing_ok=True)
