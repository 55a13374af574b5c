"""Soft-logits: the student learns the teacher's softened predictions.

Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015. The loss is
`task_weight * CE + distillation_weight * KL(teacher ‖ student)` at temperature T. The
paper's factor T² is part of `distillation_weight`, so that each published setting can be had.

Presets: `crd`, 0.1 CE + 0.9 T² KL at T = 4 (Tian et al., 2020; the paper's form); `seed`,
0.7 CE + 0.3 KL at T = 3, without T², as the seed's code has it.
"""

from typing import ClassVar

from pydantic import Field

from kd_trainer.losses import kl_divergence
from kd_trainer.methods.base import Method, MethodConfig, Stage, Step, Tensor, last_stage


class SoftLogitsConfig(MethodConfig):
    """Hyper-parameters of Soft-logits."""

    temperature: float = Field(gt=0, description="softens both predictions")
    task_weight: float = Field(ge=0, description="weight of the cross-entropy")
    distillation_weight: float = Field(ge=0, description="weight of the divergence, T² included")


class SoftLogits(Method):
    """Soft-logits (Hinton et al., 2015)."""

    CATEGORY = "response"
    Config = SoftLogitsConfig
    PRESETS: ClassVar = {
        "crd": {"temperature": 4.0, "task_weight": 0.1, "distillation_weight": 0.9 * 16},
        "seed": {"temperature": 3.0, "task_weight": 0.7, "distillation_weight": 0.3},
    }

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """One stage."""
        return (
            last_stage(
                epochs,
                taps=("logits",),
                terms=self._terms,
                weights={"kl": self.config.distillation_weight},
                task_weight=self.config.task_weight,
            ),
        )

    def _terms(self, step: Step) -> dict[str, Tensor]:
        logits = step.student["logits"], step.teacher["logits"]
        return {"kl": kl_divergence(*logits, self.config.temperature)}
