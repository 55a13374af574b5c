"""VGG with BatchNorm for 32x32 images.

Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2015,
in the form of the tables of Tian et al., "Contrastive Representation Distillation", 2020:
BatchNorm after each convolution, which keeps its bias, and one linear layer on the pooled maps
instead of three.

The five groups of convolutions are `stem` and `stage1` to `stage4`, with maps of 32, 16, 8, 4 and
4 pixels: a tap lies before the max-pooling that follows it, and none follows `stage3`, which would
leave `stage4` two pixels. The reference code's f0 is `stem`, its f1 to f4 are `stage1` to
`stage4`; its `preact` reads the same `<tap>_preact`.
"""

import keras
from keras import layers

from kd_trainer.networks.blocks import batch_norm_relu, classifier, conv, normalised_images

_WIDTHS = {"stem": 64, "stage1": 128, "stage2": 256, "stage3": 512, "stage4": 512}
_POOLED = ("stem", "stage1", "stage2")


def vgg(convolutions: int, num_classes: int, name: str) -> keras.Model:
    """Builds a VGG for 32x32 images.

    Args:
      convolutions: number of convolutions in each of the five groups.
      num_classes: number of logits.
      name: the model's name.

    Returns:
      A functional model from uint8 `(batch, 32, 32, 3)` to float32 logits `(batch, num_classes)`.
    """
    images, x = normalised_images()
    for tap, width in _WIDTHS.items():
        for block in range(1, convolutions + 1):
            prefix = f"{tap}_block{block}"
            x = conv(x, width, 3, 1, f"{prefix}_conv", use_bias=True)
            x = batch_norm_relu(x, tap if block == convolutions else f"{prefix}_output")
        if tap in _POOLED:
            x = layers.MaxPooling2D(name=f"{tap}_block_pool")(x)
    initializer = keras.initializers.RandomNormal(stddev=0.01)
    return classifier(images, x, num_classes, initializer, name)
