"""The taps of a network: the outputs that methods read.

A tap is the output of the layer of that name: `stem`, `stage1`.. `stage3` or `stage4` (after the
ReLU; `<tap>_preact` before it), `pooled`, `logits`. The families' modules say what else there is.
Inner layers hold `_block` in their names and are not listed.
"""

from collections.abc import Iterable

import keras

from kd_trainer.errors import ConfigError, nearest


class TapError(ConfigError):
    """A network lacks a tap.

    Args:
      network: the network.
      tap: the name.
    """

    def __init__(self, network: keras.Model, tap: str):
        super().__init__(
            f"The network {network.name!r} has no tap named {tap!r}. "
            f"{nearest(tap, list(tap_shapes(network)))}"
        )
        self.network, self.tap = network, tap


def tap_shapes(network: keras.Model) -> dict[str, tuple[int, ...]]:
    """Returns the shape, without the batch, of each tap that a network offers."""
    return {
        layer.name: tuple(layer.output.shape[1:])
        for layer in network.layers
        if "_block" not in layer.name and not isinstance(layer, keras.layers.InputLayer)
    }


def tapped(network: keras.Model, taps: Iterable[str]) -> keras.Model:
    """Returns a model that shares the network's layers and gives `{tap: output}` in one pass.

    Only the layers that lead to the taps are part of it.

    Raises:
      TapError: the network has no tap of that name.
    """
    shapes = tap_shapes(network)
    taps = list(taps)
    for tap in taps:
        if tap not in shapes:
            raise TapError(network, tap)
    outputs = {tap: network.get_layer(tap).output for tap in taps}
    return keras.Model(network.inputs[0], outputs, name=f"{network.name}_taps")


def differentiable(network: keras.Model) -> keras.Model:
    """Returns the network from float32 images instead of uint8; it shares the layers.

    The derivative of its outputs by its input is that by the raw pixels.
    """
    images = keras.Input(network.inputs[0].shape[1:], dtype="float32", name="float_images")
    return keras.models.clone_model(
        network, input_tensors=images, clone_function=lambda layer: layer
    )
