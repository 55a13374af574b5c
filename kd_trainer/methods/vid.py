"""VID: features from which the teacher's can be told (variational information distillation).

Ahn et al., "Variational Information Distillation for Knowledge Transfer", 2019. The mutual
information of the two networks' features is bounded from below by how well a Gaussian, whose mean
a regressor has from the student's feature, explains the teacher's. Each channel of the teacher has
a variance of its own, which is trained too: what the student cannot tell is let go of.

    loss = CE + weight · Σ_stages mean(½ log σ_c² + (t - μ(s))² / 2σ_c²),   σ_c² = softplus(α_c) + ε

Presets:
  `crd`: the stages' outputs, μ three 1x1 convolutions of the teacher's width with ReLUs between,
    σ² = 5 at first, ε = 1e-5, weight 1 (Tian et al., 2020, from the authors' code).
  `upstream`: the seed's later version: convolutions twice as wide, each with BatchNorm, and
    σ² = softplus(5) + 1 = 6.0067 at first, never below 1; weight 1.

Traps: the variance must be trained. mdistiller keeps it in a plain list and out of the optimizer's
parameters, so that it stays 5 and VID is a hint with a tenth of the weight. The loss is negative
where variances are small. As everywhere in code it is a mean over all elements; the paper's
equation 5 sums. Of maps of different size the larger is average-pooled, the student's before its
regressor, as RepDistiller does. The weight decay takes α with it, also as there; the seed exempts
it. Upstream's code has the loss but never calls it: the taps are those of its other methods.
"""

import math
from typing import Any, ClassVar

import keras
from keras import layers, ops
from pydantic import Field, model_validator

from kd_trainer.errors import ConfigError
from kd_trainer.fused import BatchNormalization
from kd_trainer.losses import variational_information
from kd_trainer.losses.pooling import average_pool_to_smaller
from kd_trainer.methods.base import Method, MethodConfig, Setting, Stage, Step, Tensor, last_stage


class VIDConfig(MethodConfig):
    """Hyper-parameters of VID."""

    taps: tuple[str, ...] = Field(min_length=1, description="feature maps, in both networks")
    hidden_widths: int = Field(
        ge=1, description="channels within a regressor, as a multiple of the teacher's"
    )
    batch_norm: bool = Field(description="whether a regressor's convolutions have BatchNorm")
    initial_variance: float = Field(gt=0, description="of each channel, above minimum_variance")
    minimum_variance: float = Field(gt=0, description="ε: no variance is below it")
    information_weight: float = Field(gt=0, description="weight of the sum of the likelihoods")

    @model_validator(mode="after")
    def _variances_fit(self) -> "VIDConfig":
        if self.initial_variance <= self.minimum_variance:
            raise ConfigError(
                f"initial_variance is {self.initial_variance}, minimum_variance "
                f"{self.minimum_variance}; expected the first to be larger."
            )
        return self


class VID(Method):
    """Variational information distillation (Ahn et al., 2019)."""

    CATEGORY = "features"
    Config = VIDConfig
    PRESETS: ClassVar = {
        "crd": {
            "taps": ("stage1", "stage2", "stage3"),
            "hidden_widths": 1,
            "batch_norm": False,
            "initial_variance": 5.0,
            "minimum_variance": 1e-5,
            "information_weight": 1.0,
        },
        "upstream": {
            "taps": ("stage1", "stage2", "stage3"),
            "hidden_widths": 2,
            "batch_norm": True,
            "initial_variance": math.log1p(math.exp(5)) + 1,
            "minimum_variance": 1.0,
            "information_weight": 1.0,
        },
    }

    def adapters(self, setting: Setting) -> dict[str, keras.Layer]:
        """A Gaussian a tap, of the teacher's feature from the student's."""
        adapters = {}
        for tap in self.config.taps:
            student, teacher = setting.student[tap], setting.teacher[tap]
            if len(student) != 3 or len(teacher) != 3:
                raise ConfigError(
                    f"{tap}: the student's tap has the shape {student}, the teacher's {teacher}; "
                    "expected feature maps, (height, width, channels). Choose other taps."
                )
            adapters[tap] = Gaussian(teacher[-1], self.config, f"{tap}_gaussian")
            adapters[tap].build((None, *student))
        return adapters

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """One stage."""
        return (
            last_stage(
                epochs,
                taps=self.config.taps,
                adapters=self.config.taps,
                terms=self._terms,
                weights={"information": self.config.information_weight},
            ),
        )

    def _terms(self, step: Step) -> dict[str, Tensor]:
        total: Tensor = 0.0
        for tap in self.config.taps:
            student, teacher = average_pool_to_smaller(step.student[tap], step.teacher[tap])
            mean, variance = step.adapt(tap, student)
            total = total + variational_information(mean, variance, teacher)
        return {"information": total}


class Gaussian(keras.Layer):
    """The distribution of a teacher's feature, given the student's.

    Args:
      channels: of the teacher's feature.
      config: the method's.
      name: the layer's name.
    """

    def __init__(self, channels: int, config: VIDConfig, name: str):
        super().__init__(name=name)
        self.minimum = config.minimum_variance
        # The inverse of softplus.
        initial = math.log(math.expm1(config.initial_variance - config.minimum_variance))
        self.alpha = self.add_weight(
            shape=(channels,), initializer=keras.initializers.Constant(initial), name="alpha"
        )
        hidden = config.hidden_widths * channels
        self.mean = keras.Sequential(name="mean")
        for number, width in enumerate((hidden, hidden, channels), 1):
            self.mean.add(layers.Conv2D(width, 1, use_bias=False))
            if config.batch_norm:
                self.mean.add(BatchNormalization(momentum=0.9, epsilon=1e-5))
            if number < 3:
                self.mean.add(layers.ReLU())

    def build(self, input_shape: Any) -> None:
        """Builds the regressor for `(batch, height, width, channels)`."""
        self.mean.build(input_shape)
        self.built = True

    def call(self, feature: Tensor, training: bool = False) -> tuple[Tensor, Tensor]:
        """Returns the mean, `(batch, height, width, channels)`, and the variance, `(channels,)`."""
        return self.mean(feature, training=training), ops.softplus(self.alpha) + self.minimum
