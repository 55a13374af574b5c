"""Factor transfer: the teacher's features, paraphrased in fewer channels (FT).

Kim et al., "Paraphrasing Complex Network: Network Compression via Factor Transfer", 2018. A
paraphraser, convolutions that end in fewer channels, is first trained on the teacher alone, so
that its factor is enough to reconstruct the teacher's feature. Then the student learns the labels
and, through a translator that is trained with it, the factor.

    stage 1: weight · mean |D(P(t)) - t|^p          P and the decoder D are trained
    stage 2: CE + weight · mean | T(s)/‖T(s)‖ - P(t)/‖P(t)‖ |          T is trained, P is not

Presets:
  `crd`: P and T three 3x3 convolutions with LeakyReLU (0.1), T's with BatchNorm, the last two of
    half of the teacher's channels; p = 2, 30 of 240 epochs, weight 0.2; then the factors' means of
    squares over the channels, normalised for each image, weight 200 (Tian et al., 2020).
  `paper`: the same convolutions without BatchNorm; p = 1 for 6 of 164 epochs; then the factors
    flattened and normalised for each image, weight 500 (the authors' CIFAR code).
  `upstream`: the seed's later version: a half, a quarter and an eighth of the channels, the second
    convolution of stride 2, LeakyReLU (0.2) but none on the factor; p = 1 for 0.4 of the epochs;
    then the factors normalised at each position along the channels, weight 500.

Traps: the "factor" of `crd` is an attention map; that it is used with a paraphraser at all is all
it shares with the paper, whose equation 3 has the factor itself. The paper reconstructs with the
square, its authors' code with the absolute value. RepDistiller trains the paraphraser at a fifth
of the rate: the weight of 0.2 is that for SGD, but for the weight decay. Factors of different size
are average-pooled to the smaller's, as there. A factor normalised at each position (`upstream`)
has a mean difference larger by the root of the positions, 4 at 4x4, at the same weight.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import keras
from keras import layers, ops
from pydantic import Field

from kd_trainer.errors import ConfigError
from kd_trainer.fused import BatchNormalization
from kd_trainer.losses import factor_transfer, hint
from kd_trainer.losses.pooling import average_pool_to_smaller
from kd_trainer.methods.base import (
    Method,
    MethodConfig,
    Setting,
    Stage,
    Step,
    Tensor,
    first_stage,
    last_stage,
)

Shape = tuple[int, ...]


@dataclass(frozen=True)
class _Projection:
    """What the three convolutions are like.

    Attributes:
      shares: their channels; the first's as a share of its input's, the others' of the teacher's.
      stride: of the second.
      slope: of the LeakyReLU for negative values.
      activated: whether the last has one.
    """

    shares: tuple[float, float, float]
    stride: int
    slope: float
    activated: bool


_PROJECTIONS = {
    "full size": _Projection((1.0, 0.5, 0.5), 1, 0.1, True),
    "half size": _Projection((0.5, 0.25, 0.125), 2, 0.2, False),
}
# What is normalised and compared, each as `(sample, ...)`.
_FACTORS: dict[str, Callable[[Tensor], Tensor]] = {
    "sample": lambda factor: factor,
    "position": lambda factor: ops.reshape(factor, (-1, factor.shape[-1])),
    "attention": lambda factor: ops.mean(ops.square(ops.cast(factor, "float32")), axis=-1),
}


class FactorTransferConfig(MethodConfig):
    """Hyper-parameters of factor transfer."""

    tap: str = Field(description="a feature map, in both networks")
    projection: Literal["full size", "half size"] = Field(
        description="the paraphraser's and the translator's convolutions"
    )
    translator_batch_norm: bool = Field(description="whether the translator has BatchNorm")
    power: Literal[1, 2] = Field(description="of the reconstruction's error")
    reconstruction_weight: float = Field(gt=0, description="weight of the reconstruction")
    paraphraser_epochs: float = Field(
        gt=0, description="length of the paraphraser's stage as a share of the recipe's epochs"
    )
    normalised: Literal["sample", "position", "attention"] = Field(
        description="each image's factor, each position's channels, or each image's attention map"
    )
    factor_weight: float = Field(gt=0, description="weight of the factors' difference")


class FactorTransfer(Method):
    """Factor transfer (Kim et al., 2018)."""

    CATEGORY = "features"
    Config = FactorTransferConfig
    PRESETS: ClassVar = {
        "crd": {
            "tap": "stage3",
            "projection": "full size",
            "translator_batch_norm": True,
            "power": 2,
            "reconstruction_weight": 0.2,
            "paraphraser_epochs": 30 / 240,
            "normalised": "attention",
            "factor_weight": 200.0,
        },
        "paper": {
            "tap": "stage3",
            "projection": "full size",
            "translator_batch_norm": False,
            "power": 1,
            "reconstruction_weight": 1.0,
            "paraphraser_epochs": 6 / 164,
            "normalised": "sample",
            "factor_weight": 500.0,
        },
        "upstream": {
            "tap": "stage3",
            "projection": "half size",
            "translator_batch_norm": False,
            "power": 1,
            "reconstruction_weight": 1.0,
            "paraphraser_epochs": 0.4,
            "normalised": "position",
            "factor_weight": 500.0,
        },
    }

    def adapters(self, setting: Setting) -> dict[str, keras.Layer]:
        """The paraphraser, its decoder and the translator."""
        tap, config = self.config.tap, self.config
        student, teacher = setting.student[tap], setting.teacher[tap]
        projection = _PROJECTIONS[config.projection]
        if len(student) != 3 or len(teacher) != 3:
            raise ConfigError(
                f"{tap}: the student's tap has the shape {student}, the teacher's {teacher}; "
                "expected feature maps, (height, width, channels). Choose another tap."
            )
        if any(size % projection.stride for size in teacher[:2]) or teacher[-1] < 8:
            raise ConfigError(
                f"{tap}: the teacher's tap has the shape {teacher}; expected a height and a width "
                f"that divide by {projection.stride} and 8 or more channels. Choose another tap."
            )
        return {
            "paraphraser": _encoder(projection, teacher, teacher[-1], False, "paraphraser"),
            "decoder": _decoder(projection, teacher),
            "translator": _encoder(
                projection, student, teacher[-1], config.translator_batch_norm, "translator"
            ),
        }

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """The paraphraser's, then the student's."""
        config = self.config
        return (
            first_stage(
                "paraphrase",
                epochs,
                config.paraphraser_epochs,
                teacher_taps=(config.tap,),
                adapters=("paraphraser", "decoder"),
                terms=self._reconstruction_terms,
                weights={"reconstruction": config.reconstruction_weight},
            ),
            last_stage(
                epochs,
                taps=(config.tap,),
                adapters=("translator",),
                terms=self._factor_terms,
                weights={"factor": config.factor_weight},
            ),
        )

    def _reconstruction_terms(self, step: Step) -> dict[str, Tensor]:
        feature = step.teacher[self.config.tap]
        found = step.adapt("decoder", step.adapt("paraphraser", feature))
        if self.config.power == 2:
            return {"reconstruction": hint(found, feature)}
        # Each by itself: the adapters' precision need not be the network's.
        found, feature = (ops.cast(one, "float32") for one in (found, feature))
        return {"reconstruction": ops.mean(ops.abs(found - feature))}

    def _factor_terms(self, step: Step) -> dict[str, Tensor]:
        tap = self.config.tap
        factors = average_pool_to_smaller(
            step.adapt("translator", step.student[tap]),
            step.adapt("paraphraser", step.teacher[tap]),
        )
        student, teacher = (_FACTORS[self.config.normalised](factor) for factor in factors)
        return {"factor": factor_transfer(student, teacher)}


def _encoder(
    projection: _Projection, shape: Shape, channels: int, batch_norm: bool, name: str
) -> keras.Sequential:
    bases = (shape[-1], channels, channels)
    widths = [round(share * base) for share, base in zip(projection.shares, bases, strict=True)]
    encoder = keras.Sequential(name=name)
    for number, width in enumerate(widths):
        stride = projection.stride if number == 1 else 1
        encoder.add(layers.Conv2D(width, 3, stride, padding="same"))
        if batch_norm:
            encoder.add(BatchNormalization(momentum=0.9, epsilon=1e-5))
        if number < 2 or projection.activated:
            encoder.add(layers.LeakyReLU(projection.slope))
    encoder.build((None, *shape))
    return encoder


def _decoder(projection: _Projection, shape: Shape) -> keras.Sequential:
    inner, factor = (round(share * shape[-1]) for share in projection.shares[1:])
    # Back the way that the paraphraser came; of the authors' three, none changes the size.
    widths: Sequence[int] = (inner, round(projection.shares[0] * shape[-1]), shape[-1])
    decoder = keras.Sequential(name="decoder")
    if not projection.activated:
        decoder.add(layers.LeakyReLU(projection.slope))
    for number, width in enumerate(widths):
        stride = projection.stride if number == 1 else 1
        decoder.add(layers.Conv2DTranspose(width, 3, stride, padding="same"))
        decoder.add(layers.LeakyReLU(projection.slope))
    height, length = (size // projection.stride for size in shape[:2])
    decoder.build((None, height, length, factor))
    return decoder
