"""Learning rate schedules by name."""

from collections.abc import Callable
from typing import TypeAlias

import keras
from keras import ops

from kd_trainer.recipe import Recipe

LearningRate: TypeAlias = keras.optimizers.schedules.LearningRateSchedule


def constant(recipe: Recipe, epochs: int, steps_per_epoch: int) -> LearningRate:
    """The recipe's rate throughout, as the initialisation stages of the literature have it."""
    return keras.optimizers.schedules.PiecewiseConstantDecay(
        [epochs * steps_per_epoch], [recipe.learning_rate] * 2
    )


def step(recipe: Recipe, epochs: int, steps_per_epoch: int) -> LearningRate:
    """Drops by a factor at the milestones."""
    boundaries = [round(share * epochs) * steps_per_epoch for share in recipe.milestones]
    values = [recipe.learning_rate * recipe.drop**n for n in range(len(boundaries) + 1)]
    return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, values)


def cosine(recipe: Recipe, epochs: int, steps_per_epoch: int) -> LearningRate:
    """Falls to zero along half a cosine (Loshchilov & Hutter, "SGDR", 2017, equation 5)."""
    return keras.optimizers.schedules.CosineDecay(recipe.learning_rate, epochs * steps_per_epoch)


SCHEDULES: dict[str, Callable[[Recipe, int, int], LearningRate]] = {
    "constant": constant,
    "step": step,
    "cosine": cosine,
}


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
