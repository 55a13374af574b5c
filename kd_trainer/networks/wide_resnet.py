"""Wide ResNets.

Zagoruyko & Komodakis, "Wide Residual Networks", 2016: pre-activation blocks of two 3x3
convolutions, `wrn_<depth>_<widening>`, without dropout, as in the tables of Tian et al.,
"Contrastive Representation Distillation", 2020.

BatchNorm and ReLU come at the start of a block, after the sum: `stage1` and `stage1_preact` are
the ReLU and the BatchNorm that the first block of stage 2 starts with, likewise `stem` and
`stage2`; those of `stage3` are the network's last ones. The reference code calls `<stage>_preact`
the same tensor, but without `preact` it reads what comes before the BatchNorm: the sum of the
stage's last block, and the convolution of the stem. These are the taps `<stage>_prenorm`.
"""

from typing import Any

import keras
from keras import layers

from kd_trainer.networks.blocks import batch_norm_relu, classifier, conv, normalised_images


def wide_resnet(depth: int, widening: int, num_classes: int, name: str) -> keras.Model:
    """Builds a Wide ResNet for 32x32 images.

    Args:
      depth: number of convolutions, shortcuts included, `6 n + 4` for n blocks a stage.
      widening: channels of the three stages as multiples of 16, 32 and 64.
      num_classes: number of logits.
      name: the model's name.

    Returns:
      A functional model from uint8 `(batch, 32, 32, 3)` to float32 logits `(batch, num_classes)`.
    """
    blocks = (depth - 4) // 6
    images, x = normalised_images()
    x = conv(x, 16, 3, 1, "stem_prenorm")
    activated = batch_norm_relu(x, "stem")
    for stage, width in enumerate((16, 32, 64), 1):
        for block in range(1, blocks + 1):
            prefix = f"stage{stage}_block{block}"
            stride = 2 if block == 1 and stage > 1 else 1
            # The last block's output is the stage's taps.
            output = f"stage{stage}" if block == blocks else f"{prefix}_output"
            x = _block(x, activated, widening * width, stride, prefix, f"{output}_prenorm")
            activated = batch_norm_relu(x, output)
    initializer = keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")
    return classifier(images, activated, num_classes, initializer, name)


def _block(x: Any, activated: Any, width: int, stride: int, prefix: str, output: str) -> Any:
    """Adds two convolutions of `activated` to `x`, or to its projection where the width changes."""
    shortcut = x
    if x.shape[-1] != width:
        # In a pre-activation network the projection sees what the convolutions see.
        shortcut = conv(activated, width, 1, stride, f"{prefix}_shortcut_conv")
    residual = conv(activated, width, 3, stride, f"{prefix}_conv1")
    residual = batch_norm_relu(residual, f"{prefix}_middle")
    residual = conv(residual, width, 3, 1, f"{prefix}_conv2")
    return layers.Add(name=output)([shortcut, residual])
