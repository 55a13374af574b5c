"""Jacobian matching: by which pixels the teacher's answer, or its attention, would change most.

Srinivas and Fleuret, "Knowledge Transfer with Jacobian Matching", 2018. Two networks that agree on
an image also agree on images with a little noise if their derivatives by the pixels agree. Beside
the labels and the teacher's attention (see `attention_transfer`), the student learns the direction
of the derivative of one number: its attention map where the teacher's is largest, or its logit of
the teacher's most likely class.

    loss = CE + a · Σ_stages mean (Q̂_s - Q̂_t)² + j · mean_b ‖ĵ_s - ĵ_t‖₂
    ĵ = ∇_x z / ‖∇_x z‖ for each image,   z = Q(stage)[argmax Q_t]  or  z = logit[argmax logits_t]

Presets:
  `paper`: z is the largest pixel of the last stage's attention map (equation 10), a = 1000 as
    `attention_transfer` has it, j = 1.
  `logit`: z is the logit of the teacher's most likely class, no attention term, j = 1.

UNVERIFIED: no source at hand has the weight j; 1 was chosen here, by short trials in which 10 and
100 did worse and 1 was not told from none. benchmarks/results/accuracy has what the presets give.
The seed announces this method ("they combine attention matching loss and Jacobian matching loss")
and has none of it.

Traps: the position or class is the teacher's for both networks, so that both derive the same
number; maps of different size are refused for that. The student's BatchNorm is in training mode,
and the derivative is that of the batch's sum: through the batch's statistics, a part of it is the
other images' influence, which the teacher, in inference mode, does not have. Each network runs
forward once, but backward twice (the student thrice), two to three times the time of a step
without. Below the last ReLU the second derivative is zero almost everywhere: what is learned is
the weights along active paths, not which are active. A distance, not its square: its gradient does
not fade towards the end, and the learning rate's fall is what brings it to rest.
"""

from collections.abc import Callable
from typing import ClassVar, Literal

from keras import ops
from pydantic import Field, model_validator

from kd_trainer.errors import ConfigError
from kd_trainer.losses import attention_transfer, jacobian_matching
from kd_trainer.methods.base import Method, MethodConfig, Stage, Step, Taps, Tensor, last_stage


class JacobianMatchingConfig(MethodConfig):
    """Hyper-parameters of Jacobian matching."""

    derived: Literal["attention", "logit"] = Field(
        description="what the derivative by the images is taken of"
    )
    tap: str = Field("stage3", description="the feature map whose attention is derived")
    attention_taps: tuple[str, ...] = Field(description="feature maps of the attention term")
    attention_weight: float = Field(ge=0, description="weight of the attention term")
    jacobian_weight: float = Field(gt=0, description="weight of the derivatives' distance")

    @model_validator(mode="after")
    def _attention_has_its_taps(self) -> "JacobianMatchingConfig":
        if bool(self.attention_weight) != bool(self.attention_taps):
            raise ConfigError(
                f"attention_weight is {self.attention_weight} and attention_taps are "
                f"{list(self.attention_taps)}; expected a weight and taps, or 0 and none."
            )
        return self


class JacobianMatching(Method):
    """Jacobian matching (Srinivas and Fleuret, 2018)."""

    CATEGORY = "features"
    Config = JacobianMatchingConfig
    PRESETS: ClassVar = {
        "paper": {
            "derived": "attention",
            "attention_taps": ("stage1", "stage2", "stage3"),
            "attention_weight": 1000.0,
            "jacobian_weight": 1.0,
        },
        "logit": {
            "derived": "logit",
            "attention_taps": (),
            "attention_weight": 0.0,
            "jacobian_weight": 1.0,
        },
    }

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """One stage."""
        config = self.config
        derived = config.tap if config.derived == "attention" else "logits"
        taps = tuple(dict.fromkeys((*config.attention_taps, derived)))
        scalars: dict[str, Callable[[Taps, Taps], Tensor]] = {
            "attention": self._attention,
            "logit": _logit,
        }
        weights = {"jacobian": config.jacobian_weight}
        if config.attention_weight:
            weights["attention"] = config.attention_weight
        return (
            last_stage(
                epochs,
                taps=taps,
                terms=self._terms,
                weights=weights,
                jacobians={"jacobian": scalars[config.derived]},
            ),
        )

    def _terms(self, step: Step) -> dict[str, Tensor]:
        student, teacher = step.student, step.teacher
        terms = {"jacobian": jacobian_matching(student["jacobian"], teacher["jacobian"])}
        if self.config.attention_weight:
            terms["attention"] = sum(
                attention_transfer(student[tap], teacher[tap]) for tap in self.config.attention_taps
            )
        return terms

    def _attention(self, own: Taps, teacher: Taps) -> Tensor:
        """Sums over the batch a network's attention where the teacher's is largest."""
        own_map, teacher_map = own[self.config.tap], teacher[self.config.tap]
        if len(own_map.shape) != 4 or own_map.shape[1:3] != teacher_map.shape[1:3]:
            raise ConfigError(
                f"jacobian_matching: the student's {self.config.tap} has the shape "
                f"{tuple(own_map.shape)}, the teacher's {tuple(teacher_map.shape)}; expected "
                "feature maps of one height and width. Choose another tap or derived: logit."
            )
        return _at_largest(_attention_of(own_map), _attention_of(teacher_map))


def _attention_of(feature: Tensor) -> Tensor:
    height, width = feature.shape[1:3]
    return ops.reshape(ops.mean(ops.square(feature), axis=-1), (-1, height * width))


def _logit(own: Taps, teacher: Taps) -> Tensor:
    """Sums over the batch a network's logit of the teacher's most likely class."""
    return _at_largest(own["logits"], teacher["logits"])


def _at_largest(values: Tensor, teacher: Tensor) -> Tensor:
    """Returns the sum over the batch of what stands where the teacher's row is largest."""
    where = ops.one_hot(ops.argmax(teacher, axis=-1), values.shape[-1], dtype=values.dtype)
    return ops.sum(where * values)
