"""ReviewKD: each of the teacher's stages is learned from the student's same and later ones.

Chen et al., "Distilling Knowledge via Knowledge Review", 2021. From the last stage to the first,
the student's feature is fused with what the later stages left over, position by position, by an
attention that is learned with it (ABF). Each fused feature is drawn to the teacher's of that stage,
at full size and average-pooled to 4x4, 2x2 and 1x1 (HCL).

    x_i = BN(conv1x1(s_i));   x_i ← a_i · x_i + b_i · up(x_{i+1}),  (a_i, b_i) = σ(conv1x1[x_i, up])
    loss = CE + weight · min(1, (epoch + 1) / warm-up) · Σ_i HCL(BN(conv3x3(x_i)), t_i)

Presets:
  `paper`: the student's three stages after the ReLU and its pooled feature, the teacher's before
    the ReLU and its pooled feature, x_i of as many channels as the student's last map, at most
    512; weight 5, warm-up 20 of 240 epochs (the authors' and mdistiller's values for
    resnet32x4 -> resnet8x4; they have 0.6 for 56 -> 20, 1 for 110 -> 32, 8 for shufflev2).

Traps: weights for other pairs differ by a factor of ten. The authors count epochs from 0, so that
nothing is distilled in the first; mdistiller, and this, from 1, which matters in short runs. The
student's map is brought to its neighbour's size by its nearest pixels, and to the teacher's where
they differ. The attention sees no BatchNorm and has a bias; the other convolutions have none. With
width 256 the fusion has 1.8 million parameters, more than resnet8x4; none of it is exported.
"""

from collections.abc import Sequence
from typing import ClassVar

import keras
import numpy as np
from keras import layers, ops
from pydantic import Field, model_validator

from kd_trainer.errors import ConfigError
from kd_trainer.fused import BatchNormalization
from kd_trainer.losses import hierarchical_context
from kd_trainer.methods.base import Method, MethodConfig, Setting, Stage, Step, Tensor

Shape = tuple[int, ...]


class ReviewKDConfig(MethodConfig):
    """Hyper-parameters of ReviewKD."""

    student_taps: tuple[str, ...] = Field(min_length=1, description="from first to last")
    teacher_taps: tuple[str, ...] = Field(min_length=1, description="each one's counterpart")
    width: int = Field(
        ge=1, description="channels within the fusion, at most those of the last student tap"
    )
    review_weight: float = Field(gt=0, description="weight of the term after the warm-up")
    warmup: float = Field(
        ge=0, le=1, description="share of the epochs in which the weight rises linearly"
    )

    @model_validator(mode="after")
    def _taps_are_pairs(self) -> "ReviewKDConfig":
        if len(self.student_taps) != len(self.teacher_taps):
            raise ConfigError(
                f"{len(self.student_taps)} student_taps and {len(self.teacher_taps)} "
                "teacher_taps; expected one of each a pair."
            )
        return self


class ReviewKD(Method):
    """Distilling knowledge via knowledge review (Chen et al., 2021)."""

    CATEGORY = "features"
    Config = ReviewKDConfig
    PRESETS: ClassVar = {
        "paper": {
            "student_taps": ("stage1", "stage2", "stage3", "pooled"),
            "teacher_taps": ("stage1_preact", "stage2_preact", "stage3_preact", "pooled"),
            "width": 512,
            "review_weight": 5.0,
            "warmup": 20 / 240,
        },
    }

    def adapters(self, setting: Setting) -> dict[str, keras.Layer]:
        """One layer that fuses all of the student's features."""
        students = [_map_shape(setting.student[tap]) for tap in self.config.student_taps]
        teachers = [_map_shape(setting.teacher[tap]) for tap in self.config.teacher_taps]
        width = min(self.config.width, students[-1][-1])
        return {"fusion": Fusion(students, teachers, width)}

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """One stage."""
        weight, warmup = self.config.review_weight, self.config.warmup * epochs
        return (
            Stage(
                name="distil",
                epochs=epochs,
                student_taps=self.config.student_taps,
                teacher_taps=self.config.teacher_taps,
                adapters=("fusion",),
                terms=self._terms,
                weights={"review": lambda epoch: weight * min(1.0, (epoch + 1) / max(1.0, warmup))},
            ),
        )

    def _terms(self, step: Step) -> dict[str, Tensor]:
        students = [_as_map(step.student[tap]) for tap in self.config.student_taps]
        teachers = [_as_map(step.teacher[tap]) for tap in self.config.teacher_taps]
        fused = step.adapt("fusion", students)
        pairs = zip(fused, teachers, strict=True)
        return {"review": sum(hierarchical_context(student, teacher) for student, teacher in pairs)}


def _map_shape(shape: Shape) -> Shape:
    """Returns `(height, width, channels)`; a pooled feature is a map of one pixel."""
    return shape if len(shape) == 3 else (1, 1, *shape)


def _as_map(feature: Tensor) -> Tensor:
    return ops.reshape(feature, (-1, *_map_shape(feature.shape[1:])))


class Fusion(keras.Layer):
    """The attention-based fusion (ABF) of all of a student's features.

    Args:
      students: `(height, width, channels)` of each feature, from first to last.
      teachers: the same of what they are brought to.
      width: channels of the fused features.
    """

    def __init__(self, students: Sequence[Shape], teachers: Sequence[Shape], width: int):
        super().__init__(name="fusion")
        self.sizes = [shape[:2] for shape in teachers]
        self.inner = [_normed(width, 1, f"inner{n}") for n in range(len(students))]
        self.outer = [_normed(shape[-1], 3, f"outer{n}") for n, shape in enumerate(teachers)]
        # The last feature has none after it to be fused with.
        self.attention = [
            layers.Conv2D(2, 1, activation="sigmoid", name=f"attention{n}")
            for n in range(len(students) - 1)
        ]
        for layer, shape in zip(self.inner, students, strict=True):
            layer.build((None, *shape))
        for layer, shape in zip(self.outer, teachers, strict=True):
            layer.build((None, *shape[:2], width))
        for layer in self.attention:
            layer.build((None, None, None, 2 * width))
        self.built = True

    def call(self, features: Sequence[Tensor], training: bool = False) -> list[Tensor]:
        """Returns the fused features in the teacher's shapes, in the order of the inputs."""
        outputs: list[Tensor] = []
        later: Tensor = None
        for n in reversed(range(len(features))):
            fused = self.inner[n](features[n], training=training)
            if later is not None:
                later = _resized(later, fused.shape[1:3])
                share = self.attention[n](ops.concatenate([fused, later], axis=-1))
                fused = fused * share[..., :1] + later * share[..., 1:]
            later = _resized(fused, self.sizes[n])
            outputs.insert(0, self.outer[n](later, training=training))
        return outputs


def _normed(channels: int, kernel: int, name: str) -> keras.Sequential:
    # Kaiming's uniform with a = 1, as the authors have it.
    initializer = keras.initializers.VarianceScaling(1.0, "fan_in", "uniform")
    convolution = layers.Conv2D(
        channels, kernel, padding="same", use_bias=False, kernel_initializer=initializer
    )
    return keras.Sequential(
        [convolution, BatchNormalization(momentum=0.9, epsilon=1e-5)], name=name
    )


def _resized(feature: Tensor, size: Sequence[int]) -> Tensor:
    """Returns the map at another size, of its nearest pixels, as PyTorch chooses them."""
    for axis, (old, new) in enumerate(zip(feature.shape[1:3], size, strict=True), 1):
        if new % old == 0:
            # As below; its derivative is a sum, where that of indices is a scatter.
            feature = ops.repeat(feature, new // old, axis=axis)
        else:
            feature = ops.take(feature, np.arange(new) * old // new, axis=axis)
    return feature
