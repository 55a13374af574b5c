"""PKT: the student learns with what probability the teacher finds two samples neighbours.

Passalis and Tefas, "Learning Deep Representations with Probabilistic Knowledge Transfer", 2018.
In each network's feature space the similarities of a sample to all of the batch, over their sum,
are a distribution: what it is likely to be a neighbour of. The divergence of these distributions
is minimised; widths may differ, and there is no adapter.

    p(j | i) = K(x_i, x_j) / Σ_j K(x_i, x_j)      K(a, b) = (cos(a, b) + 1) / 2
    L = CE + weight · mean_ij p_t(j | i) · log(p_t(j | i) / p_s(j | i))

Presets: `crd`, 30000 on the pooled features (Tian et al., 2020, RepDistiller, with the authors'
loss; mdistiller has the same).

Traps: the mean is over all pairs, not the sum over j: that, and that all similarities of ReLU
features lie between ½ and 1, is why the weight is so large. A sample is among its own neighbours.
"""

from typing import ClassVar

from pydantic import Field

from kd_trainer.losses import probabilistic_knowledge_transfer
from kd_trainer.methods.base import Method, MethodConfig, Stage, Step, Tensor, last_stage


class PKTConfig(MethodConfig):
    """Hyper-parameters of PKT."""

    tap: str = Field(description="whose neighbourhoods are imitated, in both networks")
    weight: float = Field(gt=0, description="weight of the term")


class PKT(Method):
    """PKT (Passalis and Tefas, 2018)."""

    CATEGORY = "relations"
    WHOLE_BATCH = "relates the images of a batch to each other"
    Config = PKTConfig
    PRESETS: ClassVar = {"crd": {"tap": "pooled", "weight": 30000.0}}

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """One stage."""
        return (
            last_stage(
                epochs,
                taps=(self.config.tap,),
                terms=self._terms,
                weights={"neighbours": self.config.weight},
            ),
        )

    def _terms(self, step: Step) -> dict[str, Tensor]:
        taps = step.student[self.config.tap], step.teacher[self.config.tap]
        return {"neighbours": probabilistic_knowledge_transfer(*taps)}
