"""The gate's bounds: the part of the configuration that the nodes of the gate are given."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from kd_trainer.config_errors import explain
from kd_trainer.documents import parse
from kd_trainer.errors import ConfigError


class GateBounds(BaseModel):
    """When the student is good enough, on the test split. A bound that is null is none."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    rebaseline: bool = Field(
        False, description="push over a champion: what is compared with the baseline is no bound"
    )
    min_accuracy: float | None = Field(None, ge=0, le=1, description="top-1 accuracy")
    min_top5: float | None = Field(None, ge=0, le=1, description="top-5 accuracy")
    min_change: float | None = Field(
        None, ge=-1, le=1, description="top-1 minus the baseline's; below 0: a tolerance"
    )
    min_relative_change: float | None = Field(
        None, ge=-1, description="the same as a share of the baseline's top-1"
    )
    max_superclass_drop: float | None = Field(
        None, ge=-1, le=1, description="the baseline's top-1 minus the student's, any superclass"
    )
    min_teacher_share: float | None = Field(
        None, ge=0, description="the student's top-1 as a share of the teacher's"
    )
    max_parameters: int | None = Field(None, ge=1, description="trainable parameters")
    max_bytes: int | None = Field(None, ge=1, description="of all files of the SavedModel")
    max_latency_ratio: float | None = Field(
        None, gt=0, description="time of one image on the CPU as a share of the teacher's"
    )
    min_agreement: float | None = Field(
        None, ge=0, le=1, description="share of images on which the teacher says the same class"
    )
    max_divergence: float | None = Field(
        None, ge=0, description="mean KL(teacher || student) of the probabilities, in nats"
    )
    max_calibration_error: float | None = Field(
        None, ge=0, le=1, description="expected calibration error, 15 bins"
    )

    @model_validator(mode="after")
    def _some_bound(self) -> "GateBounds":
        bounds = {key for key in type(self).model_fields if key.startswith(("min_", "max_"))}
        given = {key for key in bounds if getattr(self, key) is not None}
        if self.rebaseline:
            given -= {"min_change", "min_relative_change", "max_superclass_drop"}
        if not given:
            without = " that is not a comparison with the baseline" if self.rebaseline else ""
            raise ConfigError(
                f"there is no bound{without}, so that any student would pass. Give one of "
                f"{', '.join(sorted(bounds))}, such as gate.min_accuracy=0.6."
            )
        return self


def write(gate: GateBounds) -> str:
    """Returns the bounds that are set, as `read` takes them."""
    return gate.model_dump_json(include=set(GateBounds.model_fields), exclude_none=True)


def read(text: str) -> dict[str, Any]:
    """Returns all bounds by name, None for none.

    Args:
      text: those that are set, in JSON or YAML.

    Raises:
      ConfigError: it is something else, a key is unknown, a bound is out of its range, or there is
        none.
    """
    document = parse(text, "gate")
    if not isinstance(document, Mapping):
        raise ConfigError(f"gate: found {text!r}, expected bounds such as '{{min_accuracy: 0.6}}'.")
    try:
        return GateBounds.model_validate(document).model_dump()
    except ValidationError as error:
        raise ConfigError(explain(error, GateBounds, "gate.")) from None
