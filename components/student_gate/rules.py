"""The gate's bounds on accuracy: what each one compares, for TFMA and for what TFMA does not see.

They are set as thresholds in TFMA's configuration, and found again in its verdict, by the same
functions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tensorflow_model_analysis.proto import config_pb2

from components.decision import Bound

# Metrics by their names in TFMA.
TOP1 = "sparse_categorical_accuracy"
TOP5 = "top5"
SUPERCLASS = "coarse_label"
# TFMA computes in float32: a share of exactly 0.7 is 0.69999999 there and must pass a bound of
# 0.7. Two shares of 10,000 images differ by a hundred times as much.
ROUNDING = 1e-6
_DIGITS = 6


@dataclass(frozen=True)
class Rule:
    """What a bound on accuracy compares.

    TFMA looks at a value, at its absolute difference to a reference's or at that as a share of the
    reference's, and wants at least so much. What people read is `offset + sign` times that.

    Attributes:
      name: of the key in the configuration's section `gate`.
      metric: in words.
      measure: TFMA's name of the metric.
      reference: the network that the student is compared with; None for none.
      kind: what TFMA looks at.
      unit: of what people read.
      by_superclass: whether every superclass is held to it, not the whole.
      offset: see above.
      sign: see above; -1 makes the bound a maximum.
    """

    name: str
    metric: str
    measure: str
    reference: Literal[None, "baseline", "teacher"]
    kind: Literal["value", "absolute", "relative"]
    unit: Literal["share", "points"]
    by_superclass: bool = False
    offset: int = 0
    sign: int = 1

    def threshold(self, bound: float) -> config_pb2.MetricThreshold:
        """Returns the bound as TFMA's threshold."""
        least = {"value": self._least(bound)}
        if self.kind == "value":
            return config_pb2.MetricThreshold(
                value_threshold=config_pb2.GenericValueThreshold(lower_bound=least)
            )
        return config_pb2.MetricThreshold(
            change_threshold=config_pb2.GenericChangeThreshold(
                direction=config_pb2.MetricDirection.HIGHER_IS_BETTER, **{self.kind: least}
            )
        )

    def compare(self, value: float, reference: float | None) -> float:
        """Returns what TFMA looks at; NaN where it is a share of nothing."""
        if self.kind == "value":
            return value
        assert reference is not None, f"gate.{self.name} compares with the {self.reference}"
        difference = value - reference
        if self.kind == "absolute":
            return difference
        return difference / reference if reference else float("nan")

    def passes(self, compared: float, bound: float) -> bool:
        """Returns whether what `compare` gave passes; NaN does not."""
        return compared >= self._least(bound)

    def found(
        self,
        compared: float,
        bound: float,
        *,
        subject: str,
        slice_name: str,
        passed: bool,
        judge: Literal["TFMA", "budget"],
    ) -> Bound:
        """Returns what people read of what `compare` gave."""
        return Bound(
            key=f"gate.{self.name}",
            metric=self.metric,
            subject=subject,
            slice=slice_name,
            value=round(self.offset + self.sign * compared, _DIGITS),
            bound=bound,
            is_minimum=self.sign > 0,
            unit=self.unit,
            passed=passed,
            judge=judge,
        )

    def _least(self, bound: float) -> float:
        return self.sign * (bound - self.offset) - ROUNDING


_RULES = (
    Rule("min_accuracy", "top-1 accuracy", TOP1, None, "value", "share"),
    Rule("min_top5", "top-5 accuracy", TOP5, None, "value", "share"),
    Rule("min_change", "top-1 minus the baseline's", TOP1, "baseline", "absolute", "points"),
    Rule(
        "min_relative_change",
        "top-1 minus the baseline's, as a share of it",
        TOP1,
        "baseline",
        "relative",
        "share",
    ),
    Rule(
        "max_superclass_drop",
        "the baseline's top-1 minus the student's",
        TOP1,
        "baseline",
        "absolute",
        "points",
        by_superclass=True,
        sign=-1,
    ),
    Rule(
        "min_teacher_share",
        "top-1 as a share of the teacher's",
        TOP1,
        "teacher",
        "relative",
        "share",
        offset=1,
    ),
)


def rules(
    gate: Mapping[str, float | None], evaluation: Literal[None, "baseline", "teacher"] = None
) -> dict[Rule, float]:
    """Returns the bounds that a gate sets.

    Args:
      gate: the configuration's section `gate`; with `rebaseline` what is compared with the
        baseline is no bound.
      evaluation: whom the Evaluator compares the student with, for its part of them; what has no
        reference is the baseline's. None: all.
    """
    return {
        rule: bound
        for rule in _RULES
        if (bound := gate[rule.name]) is not None
        and not (gate["rebaseline"] and rule.reference == "baseline")
        and evaluation in (None, rule.reference or "baseline")
    }
