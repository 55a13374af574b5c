"""Layers that bring a student's tap to the teacher's shape during training."""

import math

import keras
from keras import layers

from kd_trainer.errors import ConfigError
from kd_trainer.fused import BatchNormalization


def conv_regressor(
    student: tuple[int, ...], teacher: tuple[int, ...], name: str, rectified: bool = True
) -> keras.Sequential:
    """Convolution, BatchNorm and ReLU from one feature map's shape to another's.

    As `ConvReg` of Tian et al., "Contrastive Representation Distillation", 2020: 3x3 of stride 2
    where the student's map is twice the teacher's, transposed 4x4 of stride 2 where it is half,
    else a valid convolution that leaves the teacher's size.

    Args:
      student: `(height, width, channels)` of the student's tap.
      teacher: `(height, width, channels)` of the teacher's tap.
      name: the layer's name.
      rectified: whether the ReLU is there; features before the activation have none.

    Returns:
      A built layer from `(batch, *student)` to `(batch, *teacher)`.

    Raises:
      ConfigError: one of them is no feature map, or the sizes cannot be bridged.
    """
    if len(student) != 3 or len(teacher) != 3:
        raise ConfigError(
            f"{name}: a convolutional regressor needs feature maps of (height, width, channels); "
            f"the student's tap has the shape {student}, the teacher's {teacher}. Choose taps "
            "before the pooling."
        )
    (height, width, _), (target_height, target_width, channels) = student, teacher
    if (height, width) == (2 * target_height, 2 * target_width):
        bridge = [
            layers.ZeroPadding2D(1),
            layers.Conv2D(channels, 3, strides=2, use_bias=False),
        ]
    elif (2 * height, 2 * width) == (target_height, target_width):
        bridge = [layers.Conv2DTranspose(channels, 4, strides=2, padding="same", use_bias=False)]
    elif height >= target_height and width >= target_width:
        kernel = (1 + height - target_height, 1 + width - target_width)
        bridge = [layers.Conv2D(channels, kernel, use_bias=False)]
    else:
        raise ConfigError(
            f"{name}: the student's map of {height}x{width} cannot be brought to the teacher's "
            f"{target_height}x{target_width}: it must be at least as large, or half of it. "
            "Choose another tap."
        )
    activation = [layers.ReLU()] if rectified else []
    regressor = keras.Sequential(
        [*bridge, BatchNormalization(momentum=0.9, epsilon=1e-5), *activation], name=name
    )
    regressor.build((None, *student))
    return regressor


def linear_embedding(shape: tuple[int, ...], width: int, name: str) -> keras.Sequential:
    """A linear map of the flattened tap, with PyTorch's initial weights.

    As `LinearEmbed` of Tian et al., "Contrastive Representation Distillation", 2020.

    Args:
      shape: of the tap, without the batch.
      width: dimensions of the embedding.
      name: the layer's name.

    Returns:
      A built layer from `(batch, *shape)` to `(batch, width)`.
    """
    limit = 1 / math.sqrt(math.prod(shape))
    kernel, bias = (keras.initializers.RandomUniform(-limit, limit) for _ in range(2))
    embedding = keras.Sequential(
        [
            layers.Flatten(),
            layers.Dense(width, kernel_initializer=kernel, bias_initializer=bias, dtype="float32"),
        ],
        name=name,
    )
    embedding.build((None, *shape))
    return embedding
