"""RKD: the student learns the distances and angles between the samples of a batch.

Park, Kim, Lu, Cho, "Relational Knowledge Distillation", 2019. Not a sample's embedding is
imitated but where it lies among the others: the distance of each pair over the mean distance, and
the cosine of the angle that each two samples form at a third. Widths may differ: relations are of
the batch's size, so that there is no adapter.

    ψ_D(i, j) = ‖x_i - x_j‖ / μ      ψ_A(i, j, k) = cos ∠ x_i x_j x_k
    L = CE + distance_weight · Huber(ψ_D^s - ψ_D^t) + angle_weight · Huber(ψ_A^s - ψ_A^t)
        + kl_weight · KL(teacher ‖ student) at temperature T

Both Huber losses are means over all pairs or triples of the batch.

Presets: `crd`, 25 and 50 on the pooled features as they are (Tian et al., 2020, RepDistiller);
`paper`, 25 and 50 on L2-normalised pooled features and 16 KL at T = 4, that is T², as the
authors' script for CIFAR-100 has it (lenscloth/RKD, run_distill_classification.py, in its
history; the paper's metric learning has 1 and 2); `seed`, 100 and 200 on L2-normalised logits.

Traps: the mean distance μ. The authors' is of the pairs of different samples; the seed counts a
sample's zero distance to itself too (`self_pairs`), which makes μ smaller by 1/batch; so does its
upstream, on pooled features with 25 and 50. References give NaN for a batch of one and for equal
samples; here there is no loss. Relations are of the batch: its size is a hyper-parameter. Angles
cost the cube of it in time, but not in memory: they are taken a few at a time.
"""

from typing import ClassVar

from keras import ops
from pydantic import Field

from kd_trainer.losses import kl_divergence, rkd_angle, rkd_distance
from kd_trainer.losses.numerics import flatten, l2_normalize
from kd_trainer.methods.base import Method, MethodConfig, Stage, Step, Tensor, last_stage


class RKDConfig(MethodConfig):
    """Hyper-parameters of RKD."""

    tap: str = Field(description="whose relations are imitated, in both networks")
    l2_normalize: bool = Field(description="whether each sample's embedding is brought to norm 1")
    self_pairs: bool = Field(
        description="whether a sample's distance to itself counts in the mean distance"
    )
    distance_weight: float = Field(ge=0, description="weight of the distances")
    angle_weight: float = Field(ge=0, description="weight of the angles")
    temperature: float = Field(4.0, gt=0, description="of the divergence")
    kl_weight: float = Field(0.0, ge=0, description="weight of the divergence, T² included")


class RKD(Method):
    """RKD (Park et al., 2019)."""

    CATEGORY = "relations"
    WHOLE_BATCH = "relates the images of a batch to each other"
    Config = RKDConfig
    PRESETS: ClassVar = {
        "crd": {
            "tap": "pooled",
            "l2_normalize": False,
            "self_pairs": False,
            "distance_weight": 25.0,
            "angle_weight": 50.0,
        },
        "paper": {
            "tap": "pooled",
            "l2_normalize": True,
            "self_pairs": False,
            "distance_weight": 25.0,
            "angle_weight": 50.0,
            "kl_weight": 16.0,
        },
        "seed": {
            "tap": "logits",
            "l2_normalize": True,
            "self_pairs": True,
            "distance_weight": 100.0,
            "angle_weight": 200.0,
        },
    }

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """One stage; a term of no weight is not computed."""
        config = self.config
        weights = {
            "distance": config.distance_weight,
            "angle": config.angle_weight,
            "kl": config.kl_weight,
        }
        taps = (config.tap, "logits") if config.kl_weight else (config.tap,)
        return (
            last_stage(
                epochs,
                taps=taps,
                terms=self._terms,
                weights={name: weight for name, weight in weights.items() if weight},
            ),
        )

    def _terms(self, step: Step) -> dict[str, Tensor]:
        config = self.config
        student = self._embedding(step.student[config.tap])
        teacher = self._embedding(step.teacher[config.tap])
        terms = {}
        if config.distance_weight:
            terms["distance"] = rkd_distance(student, teacher, config.self_pairs)
        if config.angle_weight:
            terms["angle"] = rkd_angle(student, teacher)
        if config.kl_weight:
            logits = step.student["logits"], step.teacher["logits"]
            terms["kl"] = kl_divergence(*logits, config.temperature)
        return terms

    def _embedding(self, feature: Tensor) -> Tensor:
        if not self.config.l2_normalize:
            return feature
        return l2_normalize(flatten(ops.cast(feature, "float32")), axis=-1)
