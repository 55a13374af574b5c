"""DIST: the student learns how the teacher's predictions rank classes and samples.

Huang, You, Wang, Qian, Xu, "Knowledge Distillation from A Stronger Teacher", 2022. A strong
teacher's probabilities are more than a small student can match; their relations are enough.
Pearson's correlation, which no scale or shift changes, takes the divergence's place: of each
sample's probabilities (inter-class) and of each class's over the batch (intra-class).

    L = CE + inter_weight · (1 - mean_b ρ(p_s[b, :], p_t[b, :]))
           + intra_weight · (1 - mean_k ρ(p_s[:, k], p_t[:, k]))      p = softmax(z / T)

Presets: `paper`, T = 4 and 2 T² = 32 for both, the authors' setting for CIFAR-100
(hunto/image_classification_sota, dist_cifar.yaml: `dist_t4`, weight 2, beta = gamma = 1; the factor
T² is in their loss). Theirs for ImageNet is T = 1 and 2 for both.

Traps: the factor T² is part of the weights. The relation of a class is over the batch: in a batch
of one it has nothing to say, and in small ones little.
"""

from typing import ClassVar

from pydantic import Field

from kd_trainer.losses import dist
from kd_trainer.methods.base import Method, MethodConfig, Stage, Step, Tensor, last_stage


class DISTConfig(MethodConfig):
    """Hyper-parameters of DIST."""

    temperature: float = Field(gt=0, description="softens both predictions")
    inter_weight: float = Field(ge=0, description="weight of the samples' relations, T² included")
    intra_weight: float = Field(ge=0, description="weight of the classes' relations, T² included")


class DIST(Method):
    """DIST (Huang et al., 2022)."""

    CATEGORY = "response"
    WHOLE_BATCH = "correlates each class over the batch"
    Config = DISTConfig
    PRESETS: ClassVar = {
        "paper": {"temperature": 4.0, "inter_weight": 2.0 * 16, "intra_weight": 2.0 * 16}
    }

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """One stage."""
        return (
            last_stage(
                epochs,
                taps=("logits",),
                terms=self._terms,
                weights={"inter": self.config.inter_weight, "intra": self.config.intra_weight},
            ),
        )

    def _terms(self, step: Step) -> dict[str, Tensor]:
        logits = step.student["logits"], step.teacher["logits"]
        inter, intra = dist(*logits, self.config.temperature)
        return {"inter": inter, "intra": intra}
