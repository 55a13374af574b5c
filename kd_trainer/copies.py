"""Copies of networks that compute otherwise."""

from collections.abc import Callable
from typing import Any

import keras

Config = dict[str, Any]


def copied(network: keras.Model, change: Callable[[keras.Layer, Config], None]) -> keras.Model:
    """Returns a network of layers of its own, with the same weights.

    Args:
      network: a functional model.
      change: is given each layer and its configuration, which it may change.
    """

    def copy(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        change(layer, config)
        return type(layer).from_config(config)

    copy_of = keras.models.clone_model(network, clone_function=copy)
    copy_of.set_weights(network.get_weights())
    return copy_of
