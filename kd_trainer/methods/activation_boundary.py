"""Activation boundary: which of the teacher's neurons are active, before the task is learned.

Heo et al., "Knowledge Transfer via Distillation of Activation Boundaries Formed by Hidden
Neurons", 2019 (AB). In a stage of its own the student, through connectors, is brought to the
teacher's side of every neuron's activation boundary by a margin; by how much the teacher's neuron
is active does not matter. Then it is trained on the labels, or by Soft-logits.

    stage 1: weight · Σ_i 2^(i-n) ρ(r_i(s_i), t_i),   i = 1..n
             ρ = Σ (s + 1)² where s > -1, t ≤ 0;  (s - 1)² where s ≤ 1, t > 0;  mean over the batch
    stage 2: task_weight · CE + kl_weight · KL(teacher ‖ student) at temperature T, without T²

Presets:
  `crd`: features before the ReLU, connectors (1x1 convolution and BatchNorm) only where shapes
    differ, weight 3e-3 at the last stage and half of it at each before, for 30 of 240 epochs on
    top, teacher in inference mode; then CE alone (Tian et al., 2020).
  `seed`: features after the ReLU, connectors always, weight 4e-3, for 0.4 of the recipe's epochs
    on top, the teacher's BatchNorm on the batch's statistics; then 0.7 CE + 0.3 KL at T = 3.
  `paper`: as `crd`, but the teacher's BatchNorm on the batch's statistics, and then KL at T = 3
    alone, no labels (the authors' CIFAR code; its epochs are placeholders: 0.4 as in `seed`).

Traps: only the sign of t counts, so that the teacher's feature after the ReLU gives the same
target. A connector is a part of what is learned and is gone afterwards. The seed passes features
after the ReLU as those before it; its student's connector can still reach negative values, and it
has one also between equal shapes. In the last stage the seed leaves the teacher's BatchNorm on the
batch's statistics; here the teacher infers, as in the authors' code. Maps of different size, which
no source but RepDistiller bridges, get a connector of stride 2 or a transposed one.
"""

from typing import ClassVar, Literal

import keras
from pydantic import Field, model_validator

from kd_trainer.adapters import conv_regressor
from kd_trainer.errors import ConfigError
from kd_trainer.losses import activation_boundary, kl_divergence
from kd_trainer.methods.base import (
    Method,
    MethodConfig,
    Setting,
    Stage,
    Step,
    Tensor,
    first_stage,
    last_stage,
)


class ActivationBoundaryConfig(MethodConfig):
    """Hyper-parameters of activation boundary distillation."""

    taps: tuple[str, ...] = Field(min_length=1, description="features, from first to last")
    connector: Literal["always", "where_shapes_differ"] = Field(
        description="when a connector is put on the student's tap"
    )
    teacher_mode: Literal["inference", "batch statistics"] = Field(
        description="of the teacher's BatchNorm in the first stage"
    )
    boundary_weight: float = Field(
        gt=0, description="weight of the last tap's term; each tap before has half of the next's"
    )
    init_epochs: float = Field(
        gt=0, description="length of the first stage as a share of the recipe's epochs"
    )
    task_weight: float = Field(ge=0, description="weight of the cross-entropy afterwards")
    kl_weight: float = Field(ge=0, description="weight of the divergence afterwards, T² included")
    temperature: float = Field(3.0, gt=0, description="of the divergence")

    @model_validator(mode="after")
    def _something_is_learned(self) -> "ActivationBoundaryConfig":
        if not self.task_weight and not self.kl_weight:
            raise ConfigError(
                "task_weight and kl_weight are both 0: nothing is learned after the boundaries. "
                "Set one above 0."
            )
        return self


class ActivationBoundary(Method):
    """Activation boundary distillation (Heo et al., 2019)."""

    CATEGORY = "features"
    Config = ActivationBoundaryConfig
    PRESETS: ClassVar = {
        "crd": {
            "taps": ("stage1_preact", "stage2_preact", "stage3_preact"),
            "connector": "where_shapes_differ",
            "teacher_mode": "inference",
            "boundary_weight": 3e-3,
            "init_epochs": 30 / 240,
            "task_weight": 1.0,
            "kl_weight": 0.0,
        },
        "seed": {
            "taps": ("stage1", "stage2", "stage3"),
            "connector": "always",
            "teacher_mode": "batch statistics",
            "boundary_weight": 4e-3,
            "init_epochs": 0.4,
            "task_weight": 0.7,
            "kl_weight": 0.3,
        },
        "paper": {
            "taps": ("stage1_preact", "stage2_preact", "stage3_preact"),
            "connector": "where_shapes_differ",
            "teacher_mode": "batch statistics",
            "boundary_weight": 3e-3,
            "init_epochs": 0.4,
            "task_weight": 0.0,
            "kl_weight": 1.0,
        },
    }

    def adapters(self, setting: Setting) -> dict[str, keras.Layer]:
        """A connector a tap, from the student's shape to the teacher's."""
        always = self.config.connector == "always"
        return {
            tap: conv_regressor(
                setting.student[tap], setting.teacher[tap], f"{tap}_connector", rectified=False
            )
            for tap in self.config.taps
            if always or setting.student[tap] != setting.teacher[tap]
        }

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """The boundaries, then the task."""
        config = self.config
        boundaries = first_stage(
            "boundary",
            epochs,
            config.init_epochs,
            student_taps=config.taps,
            teacher_taps=config.taps,
            adapters=config.taps,
            terms=self._boundary_terms,
            weights={"boundary": config.boundary_weight},
            teacher_mode=config.teacher_mode,
        )
        if not config.kl_weight:
            return boundaries, Stage(name="task", epochs=epochs, task_weight=config.task_weight)
        return boundaries, last_stage(
            epochs,
            taps=("logits",),
            terms=self._kl_terms,
            weights={"kl": config.kl_weight},
            task_weight=config.task_weight,
        )

    def _boundary_terms(self, step: Step) -> dict[str, Tensor]:
        total: Tensor = 0.0
        for tap in self.config.taps:
            student = step.student[tap]
            if tap in step.adapters:
                student = step.adapt(tap, student)
            total = total / 2 + activation_boundary(student, step.teacher[tap])
        return {"boundary": total}

    def _kl_terms(self, step: Step) -> dict[str, Tensor]:
        logits = step.student["logits"], step.teacher["logits"]
        return {"kl": kl_divergence(*logits, self.config.temperature)}
