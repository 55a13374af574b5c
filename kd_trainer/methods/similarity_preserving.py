"""Similarity-preserving: images that are alike to the teacher shall be alike to the student.

Tung and Mori, "Similarity-Preserving Knowledge Distillation", 2019. The products of all pairs of a
batch's feature maps say which images activate a network alike. These matrices are compared, not
the features: shapes may differ, and there is no adapter.

    Q = vec(F) of each sample, (batch, height·width·channels)
    G = Q Qᵀ, each row L2-normalised
    L = CE + weight · ‖G_t - G_s‖² / batch²

Presets: `crd`, 3000 on the map of the last stage, after its ReLU (Tian et al., 2020,
RepDistiller, "verified by original author"; mdistiller has the same).

Traps: the matrix is the batch's: the loss of a batch is not the mean of its samples', and its
size is a hyper-parameter. Rows are normalised, not the features: an image with large activations
weighs more in every row.
"""

from typing import ClassVar

from pydantic import Field

from kd_trainer.losses import similarity_preserving
from kd_trainer.methods.base import Method, MethodConfig, Stage, Step, Tensor, last_stage


class SimilarityPreservingConfig(MethodConfig):
    """Hyper-parameters of similarity-preserving distillation."""

    tap: str = Field(description="whose similarities are imitated, in both networks")
    weight: float = Field(gt=0, description="weight of the term")


class SimilarityPreserving(Method):
    """Similarity-preserving distillation (Tung and Mori, 2019)."""

    CATEGORY = "relations"
    WHOLE_BATCH = "relates the images of a batch to each other"
    Config = SimilarityPreservingConfig
    PRESETS: ClassVar = {"crd": {"tap": "stage3", "weight": 3000.0}}

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """One stage."""
        return (
            last_stage(
                epochs,
                taps=(self.config.tap,),
                terms=self._terms,
                weights={"similarity": self.config.weight},
            ),
        )

    def _terms(self, step: Step) -> dict[str, Tensor]:
        tap = self.config.tap
        return {"similarity": similarity_preserving(step.student[tap], step.teacher[tap])}
