"""DML: two untrained networks teach each other.

Zhang, Xiang, Hospedales, Lu, "Deep Mutual Learning", 2018. There is no trained teacher: student and
peer start from scratch, learn the labels, and each imitates what the other predicts at that moment.
The peer has the teacher's architecture; the trained teacher itself is not read and not changed.

    L_student = CE(z_s) + divergence_weight · D(z_s, z_p)
    L_peer    = CE(z_p) + divergence_weight · D(z_p, z_s)
    D(z_1, z_2) = KL(p_2 ‖ p_1), or ½ [KL(p_2 ‖ p_1) + KL(p_1 ‖ p_2)]; no gradient flows into z_2

`start: teacher` lets the peer start from the trained teacher's weights; `export: peer` exports the
peer, and with it the teacher's architecture, in the student's place.

Presets: `paper`, the divergence KL(p_2 ‖ p_1), weight 1, T = 1 (equations 5 to 8); `seed`, the mean
of both divergences (nets/Distillation.py, op_dml.py), weight 1, T = 1.

Each network's loss has no gradient into the other, so that one optimizer with a momentum for each
variable is two optimizers. Both updates are of the same predictions, one forward pass of each
network a step. The paper's algorithm 1, its code and the seed update one network, predict again
and update the other, which costs twice the forward passes and makes the result depend on who is
first; here swapping the networks swaps the result.

Traps: the peer's BatchNorm is in training mode (the seed's upstream has it in inference mode while
it trains). The baseline to compare with is a network trained alone, not the teacher. With
`start: teacher` the peer is trained further at the recipe's rates, high ones at first.
"""

from typing import ClassVar, Literal

import keras
from pydantic import Field

from kd_trainer.losses import cross_entropy, kl_divergence, symmetric_divergence
from kd_trainer.methods.base import Method, MethodConfig, Stage, Step, Tensor, last_stage

_DIVERGENCES = {"peer": kl_divergence, "symmetric": symmetric_divergence}


class DMLConfig(MethodConfig):
    """Hyper-parameters of DML."""

    divergence: Literal["peer", "symmetric"] = Field(
        description="peer: KL(other ‖ own); symmetric: the mean of both directions"
    )
    divergence_weight: float = Field(1.0, gt=0, description="weight of the divergence, T² included")
    temperature: float = Field(1.0, gt=0, description="softens both predictions")
    start: Literal["scratch", "teacher"] = Field(
        "scratch", description="the peer's initial weights: new ones, or the trained teacher's"
    )
    export: Literal["student", "peer"] = Field(
        "student", description="which of the two networks is exported"
    )


class DML(Method):
    """DML (Zhang et al., 2018)."""

    CATEGORY = "response"
    Config = DMLConfig
    PRESETS: ClassVar = {"paper": {"divergence": "peer"}, "seed": {"divergence": "symmetric"}}

    def networks(
        self, student: keras.Model, teacher: keras.Model
    ) -> tuple[keras.Model, keras.Model]:
        """The student and its peer, or the other way round."""
        peer = keras.models.clone_model(teacher)
        if self.config.start == "teacher":
            peer.set_weights(teacher.get_weights())
        return (student, peer) if self.config.export == "student" else (peer, student)

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """One stage, in which both networks are trained."""
        weight = self.config.divergence_weight
        return (
            last_stage(
                epochs,
                taps=("logits",),
                terms=self._terms,
                weights={"divergence": weight, "peer_task": 1.0, "peer_divergence": weight},
                teacher_mode="trained",
            ),
        )

    def _terms(self, step: Step) -> dict[str, Tensor]:
        divergence, temperature = _DIVERGENCES[self.config.divergence], self.config.temperature
        own, peers = step.student["logits"], step.teacher["logits"]
        return {
            "divergence": divergence(own, peers, temperature),
            "peer_task": cross_entropy(peers, step.labels),
            "peer_divergence": divergence(peers, own, temperature),
        }
