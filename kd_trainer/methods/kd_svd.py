"""KD-SVD: the student learns how the main directions of the teacher's stages relate.

Lee, Kim, Song, "Self-supervised Knowledge Distillation Using Singular Value Decomposition", 2018.
Each sample's feature map, as a matrix of pixels by channels, is compressed to its top right
singular vectors; two neighbouring stages are related by a radial basis function of these; and
the student imitates the relations. So that they cannot outweigh the labels, the gradient of the
distillation is bounded, variable by variable.

R[d, d'] = exp(-(v_d - v'_d')² / 8), D = Σ(R_student - R_teacher)² over elements, vectors and pairs
of stages, and g = g_task + min(1, σ(epoch)·‖g_task‖ / ‖g_D‖)·g_D for each variable, where the
sigmoid σ goes from ½ at epoch 0 to 1.

Presets: `upstream`, the top vector, held against the nearest of the student's top 4, scaled by
the teacher's normalised singular values, D summed over the batch, bounded (the seed's later
version); `seed`, the top 4 of both, not scaled, summed, bounded; `crd`, as `upstream`, averaged
over the batch and not bounded, with weight 1 (RepDistiller's code; it gives no β and no result).

All presets read the ends of the three stages. The vectors come from an eigendecomposition of the
smaller Gram matrix with the derivative of perturbation theory, damped where singular values meet:
an SVD's own gradient is infinite there, which is what the bound was for. This is what upstream
calls KD-EID, so `kd_svd` and `kd_eid` are one computation here; the seed's KD-SVD is by EID too.

The sign of a singular vector is arbitrary; how it is chosen is said in
`kd_trainer.losses.singular_values`. mdistiller reshapes the maps in the wrong order and has
another loss. The channels of student and teacher must be equal, tap by tap; heights and widths
may differ. A variable that the task does not reach gets nothing of the distillation.
"""

import math
from typing import ClassVar, Literal

from keras import ops
from pydantic import Field

from kd_trainer.losses import kd_svd
from kd_trainer.methods.base import Method, MethodConfig, Stage, Step, Tensor, last_stage


class KDSVDConfig(MethodConfig):
    """Hyper-parameters of KD-SVD and KD-EID."""

    taps: tuple[str, ...] = Field(
        ("stage1", "stage2", "stage3"),
        min_length=2,
        description="feature maps in order; each two neighbours are related",
    )
    vectors: int = Field(ge=1, description="singular vectors of each of the teacher's maps")
    spare: int = Field(ge=0, description="how many vectors more the student offers")
    scaled: bool = Field(description="whether the teacher's singular values scale the vectors")
    reduction: Literal["mean", "sum"] = Field(description="over the batch")
    weight: float = Field(1.0, gt=0, description="weight of the difference")
    bounded: bool = Field(
        description="whether its gradient is bounded by the task's, times a sigmoid of the epoch"
    )


_UPSTREAM = {"vectors": 1, "spare": 3, "scaled": True, "reduction": "sum", "bounded": True}


class KDSVD(Method):
    """KD-SVD (Lee et al., 2018)."""

    CATEGORY = "shared representation"
    WHOLE_BATCH = "sums over the batch or bounds its gradient by the batch's"
    Config = KDSVDConfig
    PRESETS: ClassVar = {
        "upstream": _UPSTREAM,
        "seed": {**_UPSTREAM, "vectors": 4, "spare": 0, "scaled": False},
        "crd": {**_UPSTREAM, "reduction": "mean", "bounded": False},
    }

    def whole_batch(self) -> list[str]:
        """The reason, unless neither is asked for."""
        config = self.config
        return super().whole_batch() if config.bounded or config.reduction == "sum" else []

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """One stage."""
        return (
            last_stage(
                epochs,
                taps=self.config.taps,
                terms=self._terms,
                weights={"svd": self.config.weight},
                gradient_bounds={"svd": sigmoid} if self.config.bounded else {},
            ),
        )

    def _terms(self, step: Step) -> dict[str, Tensor]:
        config = self.config
        student, teacher = (
            [taps[tap] for tap in config.taps] for taps in (step.student, step.teacher)
        )
        loss = kd_svd(student, teacher, config.vectors, config.spare, config.scaled)
        if config.reduction == "sum":
            loss = loss * ops.cast(ops.shape(step.labels)[0], "float32")
        return {"svd": loss}


def sigmoid(epoch: int) -> float:
    """Returns the seed's bound: 1 / (1 + e^-epoch), ½ at the start and 1 after some 18 epochs."""
    return 1 / (1 + math.exp(-epoch))
