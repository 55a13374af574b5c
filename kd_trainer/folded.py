"""Convolutions that have taken up the BatchNormalization after them.

With moving statistics a BatchNormalization is a scale and an offset a channel, which can go into
the kernel and the bias of the convolution before it: the same function, to rounding.
"""

from typing import Any

import keras
import numpy as np

_CONVOLUTIONS = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D)


def folded(network: keras.Model) -> keras.Model:
    """Returns a copy of a network in inference mode, without its BatchNormalization.

    That of a BatchNormalization stays whose convolution is read by something else, too.

    Args:
      network: a functional model with named outputs.
    """
    outputs = set(network.output_names)
    norms = {
        norm.name: layer
        for layer in network.layers
        if isinstance(layer, _CONVOLUTIONS) and layer.name not in outputs
        for norm in _only_consumer(layer)
        if isinstance(norm, keras.layers.BatchNormalization)
    }
    convolutions = {layer.name: norm for norm, layer in norms.items()}

    def copy(layer: keras.Layer) -> keras.Layer:
        if layer.name in norms:
            return keras.layers.Identity(name=layer.name, dtype=layer.dtype_policy)
        config = layer.get_config()
        if isinstance(layer, _CONVOLUTIONS):
            config["dtype"] = layer.compute_dtype  # they are not trained: nothing is kept finer
        if layer.name in convolutions:
            config["use_bias"] = True
        return type(layer).from_config(config)

    def call(layer: keras.Layer, *inputs: Any, **options: Any) -> Any:
        return (
            layer(*inputs)
            if isinstance(layer, keras.layers.Identity)
            else layer(*inputs, **options)
        )

    clone = keras.models.clone_model(network, clone_function=copy, call_function=call)
    for layer in network.layers:
        if layer.name in norms:
            continue
        weights = layer.get_weights()
        if layer.name in convolutions:
            weights = _taken_up(layer, weights, network.get_layer(convolutions[layer.name]))
        clone.get_layer(layer.name).set_weights(weights)
    for variable in clone.variables:
        variable.trainable = False
    return clone


def _only_consumer(layer: keras.Layer) -> list[Any]:
    nodes = layer._outbound_nodes
    return [nodes[0].operation] if len(nodes) == 1 else []


def _taken_up(
    layer: keras.Layer, weights: list[np.ndarray], norm: keras.layers.BatchNormalization
) -> list[np.ndarray]:
    """Returns kernel and bias of a convolution that does what both layers do."""
    channels = norm.moving_mean.shape[0]
    gamma = np.array(norm.gamma) if norm.scale else np.ones(channels, "float32")
    beta = np.array(norm.beta) if norm.center else np.zeros(channels, "float32")
    scale = gamma / np.sqrt(np.array(norm.moving_variance) + norm.epsilon)
    kernel, bias = weights[0], weights[1] if layer.use_bias else np.zeros(channels, "float32")
    by_channel = scale
    if isinstance(layer, keras.layers.DepthwiseConv2D):
        by_channel = scale.reshape(kernel.shape[2:])
    return [kernel * by_channel, beta + (bias - np.array(norm.moving_mean)) * scale]
