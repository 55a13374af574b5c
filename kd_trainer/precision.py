"""What a network computes in: float32, or bfloat16 where that is faster.

In bfloat16 the variables and what is added to them stay float32, and so does all from the pooling
on, which adds up many numbers (Micikevicius et al., "Mixed Precision Training", 2018).
"""

import keras

from kd_trainer.copies import Config, copied
from kd_trainer.recipe import Precision, Recipe

_FLOAT32 = (
    keras.layers.Dense,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.Rescaling,
)


def in_precision(network: keras.Model, precision: Precision) -> keras.Model:
    """Returns a copy of a network that computes in that precision; in float32 the network itself.

    Args:
      network: a functional model that computes in float32.
      precision: of its convolutions, and of what lies between them.
    """
    if precision == "float32":
        return network

    def mixed(layer: keras.Layer, config: Config) -> None:
        if not isinstance(layer, _FLOAT32):
            config["dtype"] = "mixed_bfloat16"

    return copied(network, mixed)


def plain(network: keras.Model, recipe: Recipe) -> keras.Model:
    """Returns a trained network as one that computes in float32 and on one device.

    Where it was trained so it is itself.

    Args:
      network: a functional model; called outside of the scope of its distribution, so that what is
        done with the copy later knows of no replicas.
      recipe: how it was trained.
    """
    if recipe.precision == "float32" and recipe.distribution == "none":
        return network

    def single(layer: keras.Layer, config: Config) -> None:
        config["dtype"] = "float32"
        if isinstance(layer, keras.layers.BatchNormalization):
            config["synchronized"] = False

    return copied(network, single)
