"""Overhaul: the teacher's features before the ReLU, as far as they matter after it (OFD).

Heo et al., "A Comprehensive Overhaul of Feature Distillation", 2019. The teacher's feature before
the ReLU goes through a margin ReLU: what is negative is worth no more than m_c, the channel's
expected negative value, which the teacher's BatchNorm tells. The student, through a connector
(1x1 convolution and BatchNorm), is drawn to that, but left alone wherever both are inactive and
it is below.

    loss = CE + weight · Σ_i 2^(i-n) d(r_i(s_i), max(t_i, m_i)),   i = 1..n
    d(s, t) = Σ (s - t)² where s > t or t > 0, mean over the batch
    m = E[x | x < 0], x ~ N(β, |γ|);   -3 |γ| where that is rare: Φ(-β/|γ|) ≤ 0.001

Presets:
  `paper`: before the ReLU of the three stages, weight 1e-3 at the last stage and half of it at each
    before, the teacher's BatchNorm on the batch's statistics (the authors' CIFAR-100 code; weights
    and margins of mdistiller are the same).

Traps: the margin stands for a feature that comes out of a BatchNorm, as in the authors' wide
ResNets. Before the last ReLU of a ResNet's stage there is a sum; its margin is, as in mdistiller,
that of its first summand, the last block's second BatchNorm, though the shortcut moves the sum.
A tap that comes out of neither is refused. mdistiller and the authors leave the teacher in training
mode, so that its moving statistics drift during distillation; here they stay. Between maps of
different size the connector has stride 2 or is transposed; mdistiller pools the teacher's instead,
before the margin. `teacher_mode: inference` is what combines with other methods.
"""

import math
from typing import Any, ClassVar, Literal

import keras
import numpy as np
from keras import layers, ops
from pydantic import Field

from kd_trainer.adapters import conv_regressor
from kd_trainer.errors import ConfigError
from kd_trainer.losses import partial_distance
from kd_trainer.methods.base import Method, MethodConfig, Setting, Stage, Step, Tensor, last_stage


class OverhaulConfig(MethodConfig):
    """Hyper-parameters of OFD."""

    taps: tuple[str, ...] = Field(
        min_length=1, description="feature maps before the ReLU, from first to last"
    )
    teacher_mode: Literal["inference", "batch statistics"] = Field(
        description="of the teacher's BatchNorm"
    )
    feature_weight: float = Field(
        gt=0, description="weight of the last tap's term; each tap before has half of the next's"
    )


class Overhaul(Method):
    """A comprehensive overhaul of feature distillation (Heo et al., 2019)."""

    CATEGORY = "features"
    Config = OverhaulConfig
    PRESETS: ClassVar = {
        "paper": {
            "taps": ("stage1_preact", "stage2_preact", "stage3_preact"),
            "teacher_mode": "batch statistics",
            "feature_weight": 1e-3,
        },
    }

    def adapters(self, setting: Setting) -> dict[str, keras.Layer]:
        """A connector and the teacher's margin ReLU a tap."""
        adapters: dict[str, keras.Layer] = {}
        for tap in self.config.taps:
            adapters[tap] = conv_regressor(
                setting.student[tap], setting.teacher[tap], f"{tap}_connector", rectified=False
            )
            norm = batch_norm_of(setting.teacher_network, tap)
            adapters[f"{tap}_margin"] = MarginReLU(margins(norm), f"{tap}_margin")
        return adapters

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """One stage."""
        return (
            last_stage(
                epochs,
                taps=self.config.taps,
                adapters=self.config.taps,
                terms=self._terms,
                weights={"feature": self.config.feature_weight},
                teacher_mode=self.config.teacher_mode,
            ),
        )

    def _terms(self, step: Step) -> dict[str, Tensor]:
        total: Tensor = 0.0
        for tap in self.config.taps:
            target = step.adapt(f"{tap}_margin", step.teacher[tap])
            total = total / 2 + partial_distance(step.adapt(tap, step.student[tap]), target)
        return {"feature": total}


class MarginReLU(keras.Layer):
    """The larger of a feature and its channel's margin.

    Args:
      margin: `(channels,)`, below 0.
      name: the layer's name.
    """

    def __init__(self, margin: np.ndarray, name: str):
        super().__init__(name=name)
        self.margin = margin.astype("float32")
        self.built = True

    def call(self, feature: Tensor) -> Tensor:
        """Returns a tensor of the feature's shape."""
        return ops.maximum(feature, ops.cast(self.margin, feature.dtype))


def margins(norm: layers.BatchNormalization) -> np.ndarray:
    """Returns each channel's expected value where it is negative, `(channels,)`.

    For a BatchNormalization's output taken as normal, of the mean beta and the deviation |gamma|.
    """
    mean = np.array(norm.beta, np.float64)
    deviation = np.abs(np.array(norm.gamma, np.float64))
    return np.array([_margin(*channel) for channel in zip(mean, deviation, strict=True)])


def _margin(mean: float, deviation: float) -> float:
    below = 0.5 * math.erfc(mean / deviation / math.sqrt(2)) if deviation else 0.0
    if below <= 0.001:
        return -3 * deviation
    density = math.exp(-((mean / deviation) ** 2) / 2) / math.sqrt(2 * math.pi)
    return mean - deviation * density / below


def batch_norm_of(network: keras.Model, tap: str) -> layers.BatchNormalization:
    """Returns the BatchNormalization that a tap comes out of, or its sum's first summand.

    Raises:
      ConfigError: there is none, or it has no scale or no centre.
    """
    layer: Any = network.get_layer(tap)
    while isinstance(layer, layers.Add):
        layer = layer.input[0]._keras_history.operation
    if isinstance(layer, layers.BatchNormalization) and layer.scale and layer.center:
        return layer
    raise ConfigError(
        f"overhaul: the tap {tap!r} of the teacher {network.name!r} comes out of the layer "
        f"{layer.name!r}, a {type(layer).__name__}; expected a BatchNormalization with scale and "
        "centre, or a sum whose first summand is one, for the margin. Choose taps before the ReLU."
    )
