"""Attention transfer: where, in height and width, the teacher's features are large.

Zagoruyko and Komodakis, "Paying More Attention to Attention", 2017. A stage's attention map is the
mean over channels of its squared features, L2-normalised for each image. The student's maps are
drawn to the teacher's while it learns the labels; the channels of the two may differ in number.

    loss = CE + weight · Σ_stages d(Q_s/‖Q_s‖, Q_t/‖Q_t‖),   Q = vec(mean_c F_c²)

Presets:
  `crd`: the stages' outputs, d the mean of the squared difference over batch and positions,
    weight 1000 (Tian et al., 2020, as the authors' own code has it).
  `seed`: the same with weight 500: the seed's code multiplies by β / 2 with β = 1000.
  `paper`: equation 2 as it is printed: d is the L2 norm of an image's difference, averaged over
    the batch and divided by the number of positions; weight β / 2 = 500 with the paper's β, "10³
    divided by number of elements in attention map and batch size".

Traps: the three weigh differently by far. On maps of 8x8 that are 0.5 apart (as a norm), `crd` adds
3.9, `seed` 2.0 and `paper` 3.9, but on maps 0.1 apart 0.16, 0.08 and 0.78: a norm keeps pulling
where a square has long let go, and its gradient does not fade. Maps of different size are
average-pooled to the smaller's, features first and then squared, as RepDistiller does. The seed's
code as it stands cannot be built (it normalises a matrix over axis 2); its values are what is
taken, and its taps: it says "before the activation" and reads the outputs after it.
"""

from typing import ClassVar, Literal

from pydantic import Field

from kd_trainer.losses import attention_distance, attention_transfer
from kd_trainer.methods.base import Method, MethodConfig, Stage, Step, Tensor, last_stage

_DISTANCES = {"mean_square": attention_transfer, "norm": attention_distance}


class AttentionTransferConfig(MethodConfig):
    """Hyper-parameters of attention transfer."""

    taps: tuple[str, ...] = Field(min_length=1, description="feature maps, in both networks")
    distance: Literal["mean_square", "norm"] = Field(description="of two attention maps")
    attention_weight: float = Field(gt=0, description="weight of the sum of the distances")


class AttentionTransfer(Method):
    """Attention transfer (Zagoruyko and Komodakis, 2017)."""

    CATEGORY = "features"
    Config = AttentionTransferConfig
    PRESETS: ClassVar = {
        "crd": {
            "taps": ("stage1", "stage2", "stage3"),
            "distance": "mean_square",
            "attention_weight": 1000.0,
        },
        "seed": {
            "taps": ("stage1", "stage2", "stage3"),
            "distance": "mean_square",
            "attention_weight": 500.0,
        },
        "paper": {
            "taps": ("stage1", "stage2", "stage3"),
            "distance": "norm",
            "attention_weight": 500.0,
        },
    }

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """One stage."""
        return (
            last_stage(
                epochs,
                taps=self.config.taps,
                terms=self._terms,
                weights={"attention": self.config.attention_weight},
            ),
        )

    def _terms(self, step: Step) -> dict[str, Tensor]:
        distance = _DISTANCES[self.config.distance]
        return {
            "attention": sum(distance(step.student[t], step.teacher[t]) for t in self.config.taps)
        }
