"""FitNet: the student first learns the teacher's features (hints), then the task.

Romero et al., "FitNets: Hints for Thin Deep Nets", 2015. The hint stage minimises the squared
difference between the teacher's features and the student's, seen through connectors, and trains
only what leads to the hinted taps. Then the student is trained on the labels, or by Soft-logits.

Presets: `upstream`, hints of all three stages, mean squares, for 0.4 of the recipe's epochs on
top, at a constant rate, then the task alone, as the seed's later version has it; `seed`, the same
with squares summed over height, width and channels; `paper`, one middle hint, half the sum of
squares, then Soft-logits at T = 3 whose weight falls from 4 to 1; `crd`, one stage, CE + 100
times the mean square at `stage2` (Tian et al., 2020).

The sums of `seed` and `paper` are thousands of times a mean and want a far lower rate: at 0.1, in
six epochs of 20 classes, `seed` diverges within 16 steps and `paper` ruins the student
(benchmarks/results/accuracy/cifar20.md).

The seed maps a teacher of another width down to the student, which lets the loss collapse (both
sides of the difference are trained); here the connector is on the student's side, as in the
paper. On networks of one width, the seed's own case, there is no connector, as in the seed.
"""

import math
from dataclasses import replace
from typing import ClassVar, Literal

import keras
from pydantic import Field, NonNegativeFloat, model_validator

from kd_trainer.adapters import conv_regressor
from kd_trainer.errors import ConfigError
from kd_trainer.losses import hint, kl_divergence
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


class FitNetConfig(MethodConfig):
    """Hyper-parameters of FitNet."""

    taps: tuple[str, ...] = Field(min_length=1, description="what is hinted, in both networks")
    connector: Literal["always", "where_shapes_differ"] = Field(
        description="when a regressor is put on the student's tap"
    )
    reduction: Literal["mean", "sum"] = Field(description="over height, width and channels")
    hint_weight: float = Field(gt=0, description="weight of the hint term")
    hint_epochs: float = Field(
        ge=0, description="length of the hint stage as a share of the recipe's epochs; 0: one stage"
    )
    temperature: float = Field(3.0, gt=0, description="of the divergence")
    kl_weights: tuple[NonNegativeFloat, NonNegativeFloat] = Field(
        (0.0, 0.0), description="weight of the divergence at the start and the end, T² included"
    )

    @model_validator(mode="after")
    def _divergence_has_its_stage(self) -> "FitNetConfig":
        if any(self.kl_weights) and not self.hint_epochs:
            raise ConfigError(
                f"kl_weights are {self.kl_weights} and hint_epochs is 0: the divergence belongs to "
                "the stage after the hints. Set hint_epochs above 0 or kl_weights to [0, 0]."
            )
        return self


class FitNet(Method):
    """FitNet (Romero et al., 2015)."""

    CATEGORY = "features"
    Config = FitNetConfig
    PRESETS: ClassVar = {
        "upstream": {
            "taps": ("stage1", "stage2", "stage3"),
            "connector": "where_shapes_differ",
            "reduction": "mean",
            "hint_weight": 1.0,
            "hint_epochs": 0.4,
        },
        "seed": {
            "taps": ("stage1", "stage2", "stage3"),
            "connector": "where_shapes_differ",
            "reduction": "sum",
            "hint_weight": 1.0,
            "hint_epochs": 0.4,
        },
        "paper": {
            "taps": ("stage2",),
            "connector": "always",
            "reduction": "sum",
            "hint_weight": 0.5,
            "hint_epochs": 0.4,
            "kl_weights": (4.0, 1.0),
        },
        "crd": {
            "taps": ("stage2",),
            "connector": "always",
            "reduction": "mean",
            "hint_weight": 100.0,
            "hint_epochs": 0.0,
        },
    }

    def adapters(self, setting: Setting) -> dict[str, keras.Layer]:
        """A convolutional regressor a tap, from the student's shape to the teacher's."""
        always = self.config.connector == "always"
        return {
            tap: conv_regressor(setting.student[tap], setting.teacher[tap], f"{tap}_regressor")
            for tap in self.config.taps
            if always or setting.student[tap] != setting.teacher[tap]
        }

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """The hint stage and the task stage, or one that has both."""
        config = self.config
        hints = first_stage(
            "hint",
            epochs,
            config.hint_epochs,
            student_taps=config.taps,
            teacher_taps=config.taps,
            adapters=config.taps,
            terms=self._hint_terms,
            weights={"hint": config.hint_weight},
        )
        if not config.hint_epochs:
            return (replace(hints, name="distil", epochs=epochs, task_weight=1.0, schedule=None),)
        if not any(config.kl_weights):
            return hints, Stage(name="task", epochs=epochs)
        start, end = config.kl_weights
        return hints, last_stage(
            epochs,
            taps=("logits",),
            terms=self._kl_terms,
            weights={"kl": lambda epoch: start + (end - start) * epoch / max(1, epochs - 1)},
        )

    def _hint_terms(self, step: Step) -> dict[str, Tensor]:
        total: Tensor = 0.0
        for tap in self.config.taps:
            student, teacher = step.student[tap], step.teacher[tap]
            if tap in step.adapters:
                student = step.adapt(tap, student)
            elements = 1
            if self.config.reduction == "sum":
                elements = math.prod(teacher.shape[1:])
            total = total + elements * hint(student, teacher)
        return {"hint": total}

    def _kl_terms(self, step: Step) -> dict[str, Tensor]:
        logits = step.student["logits"], step.teacher["logits"]
        return {"kl": kl_divergence(*logits, self.config.temperature)}
