"""A training that diverges goes back to its last state, and on with a smaller learning rate."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from kd_trainer import progress
from kd_trainer.callbacks import NotFiniteError
from kd_trainer.checkpoint import Position, Variables
from kd_trainer.recipe import Recipe

SMALLER = 0.5
"""What a rollback multiplies the learning rate by, for the rest of the training."""


class State(Protocol):
    """Where a training goes on from: a `Checkpoint`, or a copy in memory."""

    def save(self, position: Position, variables: Variables, best: Sequence[np.ndarray]) -> None:
        """As `Checkpoint.save`."""

    def position(self) -> Position | None:
        """As `Checkpoint.position`."""

    def restore(self, variables: Variables) -> list[np.ndarray]:
        """As `Checkpoint.restore`."""


class InMemory:
    """The state at the end of the last epoch, or at the start."""

    def __init__(self) -> None:
        self._kept: tuple[Position, list[np.ndarray], Sequence[np.ndarray]] | None = None

    def save(self, position: Position, variables: Variables, best: Sequence[np.ndarray]) -> None:
        """Replaces the state."""
        self._kept = position, [np.array(variable) for variable in variables], best

    def position(self) -> Position | None:
        """Returns how far training was."""
        return self._kept[0] if self._kept else None

    def restore(self, variables: Variables) -> list[np.ndarray]:
        """Fills the variables, and returns the weights of the best epoch."""
        assert self._kept is not None, "nothing was saved"
        _, arrays, best = self._kept
        for variable, array in zip(variables, arrays, strict=True):
            variable.assign(array)
        return list(best)


class Rollbacks:
    """The rollbacks of a training.

    Args:
      recipe: says whether there are any, and how many.
      history: its rows hold those that a killed run has made.

    Attributes:
      may_come: whether the recipe has any.
      state: what is gone back to.
      untold: those that no row of the history holds yet.
    """

    def __init__(self, recipe: Recipe, history: Sequence[dict[str, Any]]):
        self._recipe, self._history = recipe, history
        self.may_come = recipe.on_nan == "rollback"
        self.state = InMemory()
        self.untold: list[dict[str, Any]] = []

    @property
    def _count(self) -> int:
        told = sum(len(row.get("rollbacks", ())) for row in self._history)
        return told + len(self.untold)

    @property
    def recipe(self) -> Recipe:
        """The recipe with the learning rate that is gone on with."""
        rate = self._recipe.learning_rate * SMALLER**self._count
        return self._recipe.model_copy(update={"learning_rate": rate})

    def after(self, error: NotFiniteError) -> State:
        """Returns the state to go on from, remembers what happened, and tells it.

        Raises:
          NotFiniteError: the error, if there is to be no rollback, or no further one.
        """
        if not self.may_come:
            raise error
        if self._count == self._recipe.rollbacks:
            raise NotFiniteError(f"{error} It was rolled back {self._count} times.", error.found)
        rate = self.recipe.learning_rate * SMALLER
        self.untold.append({**error.found, "learning_rate": rate})
        found, broken = error.found, ", ".join(error.found["terms"])
        progress.remark(
            f"rolled back: {broken} not finite in epoch {found['epoch']}, batch {found['batch']}; "
            f"on with the learning rate {rate:g}"
        )
        print(f"{error} Rolled back: on with the learning rate {rate:g}.")
        return self.state
