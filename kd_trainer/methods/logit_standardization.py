"""Logit standardization: another method of logits, on each sample's standardized logits.

Sun, Ren, Li, Wang, Cao, "Logit Standardization in Knowledge Distillation", 2024. One temperature
for both networks makes the student match the size of the teacher's logits, which a small network
cannot, and need not. Both logits are brought to mean 0 and deviation 1 before the other method's
terms; the cross-entropy reads them as they are.

    ẑ = (z - mean z) / (1e-7 + std z), for each sample, over its classes
    L = task_weight · CE(z_s) + the terms of `on`, of ẑ_s and ẑ_t

`on` is the other method, as `method` itself is given: its name, or its name, preset and
hyper-parameters. It must be of the category "response" and read nothing but logits.

Presets: `paper`, Soft-logits at T = 2 with 0.1 CE + 9 T² KL; `paper_dkd`, DKD at T = 2 with alpha
and beta 9 times DKD's own, 9 and 72, CE 1 and its warm-up. Both are what the authors' repository
runs for resnet32x4 to resnet8x4 (`--logit-stand --base-temp 2 --kd-weight 9`, which multiplies
DKD's alpha and beta). Some of their other pairs have T = 3.

Traps: the standard deviation is the unbiased one, over classes - 1, PyTorch's default and not
NumPy's or TensorFlow's (0.725 or 0.897 on one example). Logits that differ by a positive scale and
a shift are the same: the student's confidence comes from the cross-entropy alone.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, ValidationError, field_validator

from kd_trainer.errors import ConfigError
from kd_trainer.losses import standardize_logits
from kd_trainer.methods import create
from kd_trainer.methods.base import Method, MethodConfig, Setting, Stage, Step, Tensor

if TYPE_CHECKING:
    import keras


class LogitStandardizationConfig(MethodConfig):
    """Hyper-parameters of logit standardization."""

    on: dict[str, Any] = Field(description="the method whose logits are standardized")

    @field_validator("on", mode="before")
    @classmethod
    def _resolve(cls, spec: Any) -> Any:
        """Returns the specification with every hyper-parameter filled in."""
        spec = {"name": spec} if isinstance(spec, str) else spec
        if not isinstance(spec, Mapping):
            raise ConfigError(f"found {spec!r}; expected one method: its name, or a mapping.")
        try:
            method = create(spec)
        except ValidationError as error:
            raise ConfigError(_explain(error)) from None
        _check(spec["name"], method)
        config = method.config.model_dump(mode="json")
        return {"name": spec["name"], "preset": method.preset, **config}


class LogitStandardization(Method):
    """Logit standardization (Sun et al., 2024)."""

    CATEGORY = "response"
    Config = LogitStandardizationConfig
    PRESETS: ClassVar = {
        "paper": {
            "on": {
                "name": "soft_logits",
                "temperature": 2.0,
                "task_weight": 0.1,
                "distillation_weight": 9.0 * 4,
            }
        },
        "paper_dkd": {
            "on": {
                "name": "dkd",
                "preset": "paper",
                "temperature": 2.0,
                "alpha": 9.0,
                "beta": 72.0,
            }
        },
    }

    def __init__(self, config: MethodConfig, preset: str):
        super().__init__(config, preset)
        self._method = create(self.config.on)

    def whole_batch(self) -> list[str]:
        """The other method's reasons."""
        return self._method.whole_batch()

    def adapters(self, setting: Setting) -> "dict[str, keras.Layer]":
        """Those of the other method."""
        return self._method.adapters(setting)

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """Those of the other method, whose terms are given standardized logits."""
        return tuple(_standardized(stage) for stage in self._method.stages(epochs))


def _standardized(stage: Stage) -> Stage:
    def terms(step: Step) -> dict[str, Tensor]:
        # In a combination there are taps of other methods too.
        student, teacher = (
            {tap: standardize_logits(logits) for tap, logits in taps.items() if tap == "logits"}
            for taps in (step.student, step.teacher)
        )
        return stage.terms(replace(step, student=student, teacher=teacher))

    return replace(stage, terms=terms)


def _check(name: str, method: Method) -> None:
    stages = method.stages(1)
    read = {tap for stage in stages for tap in (*stage.student_taps, *stage.teacher_taps)}
    if method.CATEGORY != "response" or read != {"logits"}:
        raise ConfigError(
            f"{name!r} is a method of the category {method.CATEGORY!r} that reads "
            f"{', '.join(sorted(read))}; expected one of the category 'response' that reads the "
            "logits alone. Choose another, such as 'soft_logits' or 'dkd'."
        )
    if type(method).networks is not Method.networks:
        raise ConfigError(
            f"{name!r} trains the teacher too: its task would read standardized logits. "
            "Choose another, such as 'soft_logits' or 'dkd'."
        )


def _explain(error: ValidationError) -> str:
    """Returns what is wrong with the other method's hyper-parameters, each by its name."""
    return " ".join(
        f"{'.'.join(map(str, details['loc']))}: {details['msg']}, found {details['input']!r}."
        for details in error.errors()
    )
