"""Learning rate schedules by name."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

import keras
from keras import ops

from kd_trainer.recipe import Recipe

LearningRate: TypeAlias = keras.optimizers.schedules.LearningRateSchedule


def constant(recipe: Recipe, epochs: int, steps_per_epoch: int) -> LearningRate:
    """The recipe's rate throughout, as the initialisation stages of the literature have it."""
    return _drops(recipe, (), epochs, steps_per_epoch)


def step(recipe: Recipe, epochs: int, steps_per_epoch: int) -> LearningRate:
    """Drops by a factor at the milestones."""
    return _drops(recipe, recipe.milestones, epochs, steps_per_epoch)


def cosine(recipe: Recipe, epochs: int, steps_per_epoch: int) -> LearningRate:
    """Falls to zero along half a cosine (Loshchilov & Hutter, "SGDR", 2017, equation 5)."""
    return keras.optimizers.schedules.CosineDecay(recipe.learning_rate, epochs * steps_per_epoch)


SCHEDULES: dict[str, Callable[[Recipe, int, int], LearningRate]] = {
    "constant": constant,
    "step": step,
    "cosine": cosine,
}


def _drops(
    recipe: Recipe, milestones: Sequence[float], epochs: int, steps_per_epoch: int
) -> LearningRate:
    # Keras's boundary is the last step of the old rate, and it wants at least one.
    boundaries = [round(share * epochs) * steps_per_epoch - 1 for share in milestones]
    values = [recipe.learning_rate * recipe.drop**n for n in range(len(milestones) + 1)]
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        [*boundaries, epochs * steps_per_epoch], [*values, values[-1]]
    )


class Warmup(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly over the first steps, then follows another schedule."""

    def __init__(self, schedule: LearningRate, steps: float):
        self.schedule = schedule
        self.steps = steps

    def __call__(self, step):  # type: ignore[no-untyped-def]
        """Returns the rate at a step."""
        rise = ops.minimum((ops.cast(step, "float32") + 1.0) / self.steps, 1.0)
        return rise * self.schedule(step)


def learning_rate(name: str, recipe: Recipe, epochs: int, steps_per_epoch: int) -> LearningRate:
    """Returns the schedule of a stage.

    Args:
      name: a key of `SCHEDULES`.
      recipe: gives rate, milestones, drop and warm-up.
      epochs: length of the stage.
      steps_per_epoch: optimizer steps an epoch.
    """
    schedule = SCHEDULES[name](recipe, epochs, steps_per_epoch)
    if recipe.warmup_epochs:
        schedule = Warmup(schedule, recipe.warmup_epochs * steps_per_epoch)
    return schedule
