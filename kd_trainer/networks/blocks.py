"""What the networks share: normalisation, convolutions, BatchNorm and the classifier.

A layer that holds `_block` in its name is an inner one; the output of any other is a tap (`taps`).
"""

from typing import Any

import keras
from keras import layers

# Mean and standard deviation of CIFAR-100's training pixels in 0..1, RGB.
_MEAN = (0.5071, 0.4865, 0.4409)
_STD = (0.2673, 0.2564, 0.2762)


def normalised_images() -> tuple[Any, Any]:
    """Returns the input, uint8 `(batch, 32, 32, 3)`, and its pixels by CIFAR-100's statistics."""
    images = keras.Input((32, 32, 3), dtype="uint8", name="images")
    x = layers.Rescaling(
        scale=[1 / (255 * std) for std in _STD],
        offset=[-mean / std for mean, std in zip(_MEAN, _STD, strict=True)],
        name="stem_block_normalisation",
    )(images)
    return images, x


def conv(x: Any, width: int, kernel: int, stride: int, name: str, *, use_bias: bool = False) -> Any:
    """Convolves with `width` kernels, drawn with a variance of 2 / (kernel² width), as He's.

    Args:
      x: feature maps, `(batch, height, width, channels)`.
      width: channels of the result.
      kernel: height and width of the kernels.
      stride: 1, or 2 for half the height and width.
      name: the layer's name.
      use_bias: whether a bias is added.
    """
    x, padding = padded(x, kernel, stride, name)
    return layers.Conv2D(
        width,
        kernel,
        stride,
        padding=padding,
        use_bias=use_bias,
        kernel_initializer=variance_scaling(2.0, "fan_out"),
        name=name,
    )(x)


def padded(x: Any, kernel: int, stride: int, name: str) -> tuple[Any, str]:
    """Pads feature maps for a convolution; returns them and the convolution's own `padding`."""
    if kernel == 3 and stride == 2:
        # Keras pads "same" at the end only when striding; the literature pads both sides by one.
        return layers.ZeroPadding2D(1, name=f"{name}_pad")(x), "valid"
    return x, "same"


def batch_norm(x: Any, name: str) -> Any:
    """Normalises by the batch; the moving statistics move by a tenth a step."""
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x)


def batch_norm_relu(x: Any, name: str) -> Any:
    """BatchNorm under the name `<name>_preact`, then ReLU under the name itself."""
    return layers.ReLU(name=name)(batch_norm(x, f"{name}_preact"))


def classifier(
    images: Any,
    x: Any,
    num_classes: int,
    initializer: keras.initializers.Initializer,
    name: str,
) -> keras.Model:
    """Pools the last feature maps, classifies, and returns the model.

    Args:
      images: the model's input.
      x: the last feature maps, `(batch, height, width, channels)`.
      num_classes: number of logits.
      initializer: of the classifier's kernel, `(channels, num_classes)`.
      name: the model's name.

    Returns:
      A functional model from the images to float32 logits `(batch, num_classes)`.
    """
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    logits = layers.Dense(
        num_classes, kernel_initializer=initializer, name="logits", dtype="float32"
    )
    return keras.Model(images, logits(x), name=name)


def variance_scaling(scale: float, mode: str) -> keras.initializers.Initializer:
    """Returns a normal initializer of variance `scale` over the fan, cut off at two deviations."""
    return keras.initializers.VarianceScaling(scale, mode, "truncated_normal")
