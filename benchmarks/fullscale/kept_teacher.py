"""The teacher's weights in a file that is small enough for the repository."""

from pathlib import Path

import keras
import numpy as np


def keep(teacher: keras.Model, file: Path) -> None:
    """Rounds a teacher's weights to float16, writes them, and gives the teacher the rounded ones.

    Raises:
      FloatingPointError: a weight is beyond float16's range.
    """
    with np.errstate(over="ignore"):
        weights = [weight.astype("float16") for weight in teacher.get_weights()]
    if not all(np.isfinite(weight).all() for weight in weights):
        raise FloatingPointError(f"A weight of {teacher.name!r} is beyond float16's range.")
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_suffix(".partial")
    with open(partial, "wb") as target:
        np.savez(target, *weights)
    partial.replace(file)
    restore(teacher, file)


def restore(teacher: keras.Model, file: Path) -> None:
    """Gives a network of the same architecture the weights of a file."""
    with np.load(file) as kept:
        teacher.set_weights([kept[f"arr_{n}"].astype("float32") for n in range(len(kept.files))])
