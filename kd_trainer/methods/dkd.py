"""DKD: the student learns the true class's probability and, apart from it, the other classes'.

Zhao, Cui, Song, Qiu, Liang, "Decoupled Knowledge Distillation", 2022. The divergence of Soft-logits
is that of the true class against the rest (TCKD) plus that among the other classes (NCKD), the
latter times the teacher's doubt, 1 - p_t(true class). A sure teacher thereby mutes what it knows
of the other classes; here both parts have weights of their own.

    L = CE + w(epoch) · T² · (alpha · TCKD + beta · NCKD)      w(epoch) = min(epoch / warm-up, 1)
    TCKD = KL(b_t ‖ b_s), b = [p(true), 1 - p(true)]
    NCKD = KL(p̂_t ‖ p̂_s), p̂ = softmax over the classes that are not true

Presets: `paper`, alpha 1, beta 8, T = 4, a warm-up of 20 of 240 epochs, as the authors' code has
it for resnet32x4 to resnet8x4 (mdistiller). Their beta is higher where the teacher is surer: 2
for resnet56 to resnet20 and resnet110 to resnet32, 6 for wrn_40_2 to wrn_16_2 or wrn_40_1 and
vgg13 to vgg8.

Traps: the factor T² is inside the term, so that `beta` is the paper's. Two classes have no others,
and are refused. The authors count epochs from 1: the first one has the weight 1/20, not 0. They
take the log of softmaxed probabilities, which is -∞ for a sure prediction; here all is in the
logarithm.
"""

from typing import ClassVar

from pydantic import Field

from kd_trainer.losses import decoupled
from kd_trainer.methods.base import Method, MethodConfig, Stage, Step, Tensor, last_stage


class DKDConfig(MethodConfig):
    """Hyper-parameters of DKD."""

    temperature: float = Field(gt=0, description="softens both predictions")
    alpha: float = Field(ge=0, description="weight of the true class's part")
    beta: float = Field(ge=0, description="weight of the other classes' part")
    task_weight: float = Field(1.0, ge=0, description="weight of the cross-entropy")
    warmup: float = Field(
        20 / 240, ge=0, le=1, description="until the full weight, as a share of the recipe's epochs"
    )


class DKD(Method):
    """DKD (Zhao et al., 2022)."""

    CATEGORY = "response"
    Config = DKDConfig
    PRESETS: ClassVar = {"paper": {"temperature": 4.0, "alpha": 1.0, "beta": 8.0}}

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """One stage, whose term's weight rises to 1."""
        # An epoch at least, so that no warm-up is a full weight from the start.
        warmup = max(1.0, self.config.warmup * epochs)
        return (
            last_stage(
                epochs,
                taps=("logits",),
                terms=self._terms,
                weights={"decoupled": lambda epoch: min((epoch + 1) / warmup, 1.0)},
                task_weight=self.config.task_weight,
            ),
        )

    def _terms(self, step: Step) -> dict[str, Tensor]:
        config = self.config
        logits = step.student["logits"], step.teacher["logits"]
        loss = decoupled(*logits, step.labels, config.alpha, config.beta, config.temperature)
        return {"decoupled": loss}
