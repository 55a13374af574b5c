"""What the gate decided, as `decision.json` holds it."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

FILE_NAME = "decision.json"


class Bound(BaseModel):
    """A bound of the gate, and what was found.

    Attributes:
      key: of the configuration, such as `gate.min_accuracy`; a check that is always made has a
        name without `gate.`.
      metric: in words, such as `top-1 accuracy`.
      subject: what was measured: `student`, or `tflite float32`, `tflite int8`.
      slice: `overall`, or a superclass's name.
      value: what was found, in the bound's own unit.
      bound: the least or most that passes.
      is_minimum: whether it is the least.
      unit: how value and bound are to be read: `share` (0 to 1), `count`, `bytes`, `ratio`,
        `nats`, `points` (a difference of shares).
      passed: whether it passes.
      judge: who compared: `TFMA`, or `budget`, the gate itself.
    """

    # A value that could not be measured is NaN, which JSON has no number for.
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="strings")

    key: str
    metric: str
    subject: str
    slice: str
    value: float
    bound: float
    is_minimum: bool
    unit: Literal["share", "points", "count", "bytes", "ratio", "nats"]
    passed: bool
    judge: Literal["TFMA", "budget"]


class Decision(BaseModel):
    """The gate's decision.

    Attributes:
      blessed: whether every bound passed.
      rebaseline: whether comparisons with the baseline were set aside on purpose.
      baseline: `champion` or `from_scratch`.
      champion_version: the version in service that the student was compared with; "" if none.
      baseline_reason: why the baseline is what it is.
      in_service: the version that was in service then, whatever the baseline is; "" if none. The
        student is pushed over that one alone.
      bounds: all of them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    blessed: bool
    rebaseline: bool
    baseline: str
    champion_version: str
    baseline_reason: str
    in_service: str
    bounds: list[Bound]

    @property
    def refused_by(self) -> list[str]:
        """The keys of the bounds that refuse, each once."""
        return list(dict.fromkeys(bound.key for bound in self.bounds if not bound.passed))

    @property
    def verdict(self) -> str:
        """The decision in a few words."""
        return "blessed" if self.blessed else f"refused by {', '.join(self.refused_by)}"


def read(directory: str) -> Decision:
    """Reads the decision from the directory of a `GateDecision` artifact."""
    return Decision.model_validate_json((Path(directory) / FILE_NAME).read_text(encoding="utf-8"))


def write(decision: Decision, directory: str) -> None:
    """Writes the decision into the directory of a `GateDecision` artifact, which is made."""
    Path(directory).mkdir(parents=True, exist_ok=True)
    (Path(directory) / FILE_NAME).write_text(decision.model_dump_json(indent=1), encoding="utf-8")
