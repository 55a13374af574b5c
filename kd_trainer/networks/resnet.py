"""The CIFAR ResNets of the distillation literature.

He et al., "Deep Residual Learning for Image Recognition", 2016, section 4.2, with projection
shortcuts (1x1 convolution and BatchNorm) where stride or width changes, as in the tables of
Tian et al., "Contrastive Representation Distillation", 2020. `resnet32x4` and `resnet8x4` have a
stem of 32 and stages of 64, 128 and 256 channels.
"""

from typing import Any

import keras
from keras import layers

from kd_trainer.networks.blocks import (
    batch_norm,
    batch_norm_relu,
    classifier,
    conv,
    normalised_images,
    variance_scaling,
)


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
    images, x = normalised_images()
    x = conv(x, stem_width, 3, 1, "stem_block_conv")
    x = batch_norm_relu(x, "stem")
    for stage, width in enumerate(stage_widths, 1):
        for block in range(1, blocks + 1):
            stride = 2 if block == 1 and stage > 1 else 1
            last = block == blocks
            x = _basic_block(x, width, stride, f"stage{stage}", block, last)
    return classifier(images, x, num_classes, variance_scaling(1.0, "fan_in"), name)


def _basic_block(x: Any, width: int, stride: int, stage: str, block: int, last: bool) -> Any:
    prefix = f"{stage}_block{block}"
    shortcut = x
    if stride > 1 or x.shape[-1] != width:
        shortcut = conv(x, width, 1, stride, f"{prefix}_shortcut_conv")
        shortcut = batch_norm(shortcut, f"{prefix}_shortcut_bn")
    x = conv(x, width, 3, stride, f"{prefix}_conv1")
    x = batch_norm(x, f"{prefix}_bn1")
    x = layers.ReLU(name=f"{prefix}_relu1")(x)
    x = conv(x, width, 3, 1, f"{prefix}_conv2")
    x = batch_norm(x, f"{prefix}_bn2")
    # The last block's sum and ReLU are the stage's taps.
    x = layers.Add(name=f"{stage}_preact" if last else f"{prefix}_sum")([x, shortcut])
    return layers.ReLU(name=stage if last else f"{prefix}_relu2")(x)
