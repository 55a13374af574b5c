"""What a `.keras` file would have Keras build, found out before anything is built.

A configuration of some bytes can ask for layers that fill any memory, and Keras makes them before
it looks at the weights in the file.
"""

import copy
import math
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import keras

from kd_trainer.errors import ConfigError


def check(file: Path, config: dict[str, Any]) -> None:
    """Holds the weights that the configuration asks for against those that the file holds.

    Args:
      file: the `.keras` file.
      config: its configuration, all names of which are allowed.

    Raises:
      ConfigError: it asks for more.
      Exception: any that Keras raises where it cannot build the model.
    """
    with zipfile.ZipFile(file) as archive:
        sizes = {member.filename: member.file_size for member in archive.infolist()}
    held = sum(size for name, size in sizes.items() if name.startswith("model.weights"))
    # Scopes and names are a thread's own: nothing of this one is left.
    with ThreadPoolExecutor(1) as thread:
        weights = thread.submit(_weights, config).result()
    asked = sum(weights.values())
    if asked > held:  # a weight has a byte or more
        largest = max(weights, key=lambda path: weights[path])
        raise ConfigError(
            f"{str(file)!r}: its layers have {asked:,} weights, most of them in {largest!r}, but "
            f"it holds {held:,} bytes of weights: it is made to fill the memory. Save the model "
            "with model.save('name.keras')."
        )


def _weights(config: dict[str, Any]) -> dict[str, int]:
    """Returns how many values each variable of a model has, and gives none of them a value."""
    with keras.StatelessScope(initialize_variables=False):
        # Keras takes the configuration apart as it reads it.
        model = keras.saving.deserialize_keras_object(copy.deepcopy(config), safe_mode=True)
        found: dict[str, int] = {}
        for variable in model.variables:
            found[variable.path] = found.get(variable.path, 0) + math.prod(variable.shape)
        return found
