"""The CIFAR ResNets of the distillation literature.

He et al., "Deep Residual Learning for Image Recognition", 2016, section 4.2, with projection
shortcuts (1x1 convolution and BatchNorm) where stride or width changes, as in the tables of
Tian et al., "Contrastive Representation Distillation", 2020. `resnet32x4` and `resnet8x4` have a
stem of 32 and stages of 64, 128 and 256 channels.
"""

from typing import Any

import keras
from keras import layers

# Mean and standard deviation of CIFAR-100's training pixels in 0..1, RGB.
_MEAN = (0.5071, 0.4865, 0.4409)
_STD = (0.2673, 0.2564, 0.2762)


def resnet(
    depth: int, stem_width: int, stage_widths: tuple[int, ...], num_classes: int, name: str
) -> keras.Model:
    """Builds a ResNet for 32x32 images.

    Args:
      depth: number of weighted layers, `6 n + 2` for n blocks a stage.
      stem_width: channels of the first convolution.
      stage_widths: channels of each of the three stages.
      num_classes: number of logits.
      name: the model's name.

    Returns:
      A functional model from uint8 `(batch, 32, 32, 3)` to float32 logits `(batch, num_classes)`.
    """
    blocks = (depth - 2) // 6
    inputs = keras.Input((32, 32, 3), dtype="uint8", name="images")
    x = layers.Rescaling(
        scale=[1 / (255 * std) for std in _STD],
        offset=[-mean / std for mean, std in zip(_MEAN, _STD, strict=True)],
        name="stem_block_normalisation",
    )(inputs)
    x = _conv(x, stem_width, 3, 1, "stem_block_conv")
    x = _batch_norm(x, "stem_preact")
    x = layers.ReLU(name="stem")(x)
    for stage, width in enumerate(stage_widths, 1):
        for block in range(1, blocks + 1):
            stride = 2 if block == 1 and stage > 1 else 1
            last = block == blocks
            x = _basic_block(x, width, stride, f"stage{stage}", block, last)
    x = layers.GlobalAveragePooling2D(name="pooled")(x)
    outputs = layers.Dense(
        num_classes, kernel_initializer=_initializer(1.0, "fan_in"), name="logits", dtype="float32"
    )(x)
    return keras.Model(inputs, outputs, name=name)


def _basic_block(x: Any, width: int, stride: int, stage: str, block: int, last: bool) -> Any:
    prefix = f"{stage}_block{block}"
    shortcut = x
    if stride > 1 or x.shape[-1] != width:
        shortcut = _conv(x, width, 1, stride, f"{prefix}_shortcut_conv")
        shortcut = _batch_norm(shortcut, f"{prefix}_shortcut_bn")
    x = _conv(x, width, 3, stride, f"{prefix}_conv1")
    x = _batch_norm(x, f"{prefix}_bn1")
    x = layers.ReLU(name=f"{prefix}_relu1")(x)
    x = _conv(x, width, 3, 1, f"{prefix}_conv2")
    x = _batch_norm(x, f"{prefix}_bn2")
    # The last block's sum and ReLU are the stage's taps.
    x = layers.Add(name=f"{stage}_preact" if last else f"{prefix}_sum")([x, shortcut])
    return layers.ReLU(name=stage if last else f"{prefix}_relu2")(x)


def _conv(x: Any, width: int, kernel: int, stride: int, name: str) -> Any:
    if kernel == 3 and stride == 2:
        # Keras pads "same" at the end only when striding; the literature pads both sides by one.
        x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    return layers.Conv2D(
        width,
        kernel,
        stride,
        padding="valid" if kernel == 3 and stride == 2 else "same",
        use_bias=False,
        kernel_initializer=_initializer(2.0, "fan_out"),
        name=name,
    )(x)


def _batch_norm(x: Any, name: str) -> Any:
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x)


def _initializer(scale: float, mode: str) -> keras.initializers.Initializer:
    return keras.initializers.VarianceScaling(scale, mode, "truncated_normal")
