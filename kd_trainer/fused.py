"""BatchNormalization as one operation, where TensorFlow trains.

Keras computes it by one operation for each of its steps, in float32 whatever it is given.
"""

from typing import Any

import keras

Tensor = Any


def fused(network: keras.Model) -> keras.Model:
    """Returns a network that computes the same with the same layers, but its normalizations fused.

    On another backend than TensorFlow it is the network itself.

    Args:
      network: a functional model.
    """
    if keras.backend.backend() != "tensorflow":
        return network

    def copy(layer: keras.Layer) -> keras.Layer:
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        return FusedNormalization(layer) if is_norm and _fits(layer, layer.input) else layer

    return keras.models.clone_model(network, clone_function=copy)


def _fits(norm: keras.layers.BatchNormalization, inputs: Tensor) -> bool:
    return len(inputs.shape) == 4 and norm.axis in (-1, 3) and norm.center and norm.scale


def _normalised(norm: keras.layers.BatchNormalization, inputs: Tensor, training: bool) -> Tensor:
    import tensorflow as tf

    by_batch = bool(training and norm.trainable)
    given = {
        "x": inputs,
        "scale": norm.gamma.value,
        "offset": norm.beta.value,
        "mean": [] if by_batch else norm.moving_mean.value,
        "variance": [] if by_batch else norm.moving_variance.value,
    }
    found = tf.raw_ops.FusedBatchNormV3(
        **given, epsilon=norm.epsilon, exponential_avg_factor=1.0, is_training=by_batch
    )
    if by_batch and norm.momentum != 1:
        count = tf.cast(tf.size(inputs) // inputs.shape[-1], "float32")
        # The operation gives the unbiased variance; Keras keeps the biased one.
        variance = found.batch_variance * ((count - 1) / count)
        for moving, batch in (
            (norm.moving_mean, found.batch_mean),
            (norm.moving_variance, variance),
        ):
            moving.assign(moving * norm.momentum + batch * (1 - norm.momentum))
    return found.y


class BatchNormalization(keras.layers.BatchNormalization):
    """Keras's layer for what is not exported: where TensorFlow trains it is one operation."""

    def call(self, inputs: Tensor, training: bool = False, mask: None = None) -> Tensor:
        """Returns what Keras's own does."""
        fits = keras.backend.backend() == "tensorflow" and _fits(self, inputs)
        if fits and not self.synchronized:
            return _normalised(self, inputs, training)
        return super().call(inputs, training=training, mask=mask)


class FusedNormalization(keras.layers.Layer):
    """What a BatchNormalization computes, on its variables.

    Args:
      norm: the layer, built, of `(batch, height, width, channels)`.
    """

    def __init__(self, norm: keras.layers.BatchNormalization):
        # Its variables stay float32 whatever is normalised.
        super().__init__(name=norm.name, dtype=norm.dtype_policy, autocast=False)
        self.norm = norm
        self.built = True

    def call(self, inputs: Tensor, training: bool = False, mask: None = None) -> Tensor:
        """Returns what the layer would."""
        if self.norm.synchronized:  # over replicas, of which the operation knows nothing
            return self.norm(inputs, training=training)
        return _normalised(self.norm, inputs, training)

    def compute_output_spec(self, inputs: Any, training: bool = False, mask: None = None) -> Any:
        """The inputs' shape and type."""
        return keras.KerasTensor(inputs.shape, inputs.dtype)
