"""MobileNetV2 for 32x32 images.

Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018, in the form of the
tables of Tian et al., "Contrastive Representation Distillation", 2020, whose `mobile_half` is
`mobilenet_v2`. That differs from the authors' form: ReLU instead of ReLU6; the first block has an
expansion too, of factor 1; the blocks of 24 channels have stride 1; halved widths are not rounded
to multiples of 8; there is no dropout.

The reference code's f0 is `stem`, of 16 pixels, after its ReLU; its f1 to f4 are `stage1` to
`stage4`, of 16, 8, 4 and 2 pixels: the outputs of the blocks of 24, 32, 96 and 320 channels
(before halving). These bottlenecks are linear, no ReLU follows: `stage1` may be negative, and
`stage1_preact` is the same tensor, as in the reference code, which ignores `preact` here.
"""

from collections.abc import Iterator
from typing import Any

import keras
from keras import layers

from kd_trainer.networks.blocks import (
    batch_norm,
    batch_norm_relu,
    classifier,
    conv,
    normalised_images,
    padded,
    variance_scaling,
)

# The inverted residuals of each stage: expansion, channels, blocks, stride of the first block.
_STAGES = (
    ((1, 16, 1, 1), (6, 24, 2, 1)),
    ((6, 32, 3, 2),),
    ((6, 64, 4, 2), (6, 96, 3, 1)),
    ((6, 160, 3, 2), (6, 320, 1, 1)),
)
_STEM_WIDTH = 32
_HEAD_WIDTH = 1280


def mobilenet_v2(width_multiplier: float, num_classes: int, name: str) -> keras.Model:
    """Builds a MobileNetV2 for 32x32 images.

    Args:
      width_multiplier: what all channels are multiplied by, at most 1; the last 1x1 convolution
        has 1280 whatever it is.
      num_classes: number of logits.
      name: the model's name.

    Returns:
      A functional model from uint8 `(batch, 32, 32, 3)` to float32 logits `(batch, num_classes)`.
    """
    images, x = normalised_images()
    x = conv(x, int(_STEM_WIDTH * width_multiplier), 3, 2, "stem_block_conv")
    x = batch_norm_relu(x, "stem")
    for stage, groups in enumerate(_STAGES, 1):
        for block, (expansion, width, stride) in enumerate(_blocks(groups), 1):
            prefix = f"stage{stage}_block{block}"
            x = _inverted_residual(x, expansion, int(width * width_multiplier), stride, prefix)
        x = layers.Identity(name=f"stage{stage}_preact")(x)
        x = layers.Identity(name=f"stage{stage}")(x)
    x = conv(x, _HEAD_WIDTH, 1, 1, "head_block_conv")
    x = batch_norm_relu(x, "head_block_output")
    initializer = keras.initializers.RandomNormal(stddev=0.01)
    return classifier(images, x, num_classes, initializer, name)


def _blocks(groups: tuple[tuple[int, int, int, int], ...]) -> Iterator[tuple[int, int, int]]:
    """Yields expansion, channels and stride of each block."""
    for expansion, width, count, stride in groups:
        yield expansion, width, stride
        for _ in range(count - 1):
            yield expansion, width, 1


def _inverted_residual(x: Any, expansion: int, width: int, stride: int, prefix: str) -> Any:
    """Expands, convolves each channel by itself and projects, linearly; adds `x` if it fits."""
    shortcut = x
    x = conv(x, expansion * x.shape[-1], 1, 1, f"{prefix}_expand_conv")
    x = batch_norm_relu(x, f"{prefix}_expand")
    x = _depthwise_conv(x, stride, f"{prefix}_depthwise_conv")
    x = batch_norm_relu(x, f"{prefix}_depthwise")
    x = conv(x, width, 1, 1, f"{prefix}_project_conv")
    x = batch_norm(x, f"{prefix}_project_bn")
    if x.shape == shortcut.shape:
        x = layers.Add(name=f"{prefix}_sum")([shortcut, x])
    return x


def _depthwise_conv(x: Any, stride: int, name: str) -> Any:
    x, padding = padded(x, 3, stride, name)
    return layers.DepthwiseConv2D(
        3,
        stride,
        padding=padding,
        use_bias=False,
        # The reference counts all output channels in the fan-out: a variance of 2 / (9 channels).
        # Keras counts one of them in a depthwise kernel's fan-out, and all channels in its fan-in.
        depthwise_initializer=variance_scaling(2.0, "fan_in"),
        name=name,
    )(x)
