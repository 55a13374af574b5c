"""NST: the student learns where in the image the teacher's neurons are selective.

Huang and Wang, "Like What You Like: Knowledge Distill via Neuron Selectivity Transfer", 2017. Each
channel's map, L2-normalised over the positions, is a sample of what a neuron responds to. Student
and teacher are two sets of such samples; the maximum mean discrepancy of their distributions is
minimised, so that channels need not correspond and their numbers may differ.

    MMD² = mean_ij k(t_i, t_j) + mean_ij k(s_i, s_j) - 2 mean_ij k(s_i, t_j)      k(u, v) = ⟨u, v⟩²
    L = CE + weight · Σ_taps mean_b MMD²

Presets: `crd`, 50 on the three stages' maps, after their ReLU (Tian et al., 2020, RepDistiller;
mdistiller has the same).

Traps: the larger of two maps is average-pooled to the smaller's size. The references broadcast all
pairs of channels over all positions, batch·channels²·positions numbers, a gigabyte for 64 images
and 64 channels of 32x32; here it is a matrix product.
"""

from typing import ClassVar

from pydantic import Field

from kd_trainer.losses import neuron_selectivity_transfer
from kd_trainer.methods.base import Method, MethodConfig, Stage, Step, Tensor, last_stage


class NSTConfig(MethodConfig):
    """Hyper-parameters of NST."""

    taps: tuple[str, ...] = Field(min_length=1, description="the maps, in both networks")
    weight: float = Field(gt=0, description="weight of the term")


class NST(Method):
    """NST (Huang and Wang, 2017)."""

    CATEGORY = "features"
    Config = NSTConfig
    PRESETS: ClassVar = {"crd": {"taps": ("stage1", "stage2", "stage3"), "weight": 50.0}}

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """One stage."""
        return (
            last_stage(
                epochs,
                taps=self.config.taps,
                terms=self._terms,
                weights={"selectivity": self.config.weight},
            ),
        )

    def _terms(self, step: Step) -> dict[str, Tensor]:
        losses = (
            neuron_selectivity_transfer(step.student[tap], step.teacher[tap])
            for tap in self.config.taps
        )
        return {"selectivity": sum(losses)}
