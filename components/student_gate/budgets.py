"""The bounds that TFMA does not see: budgets, the accuracy of TFLite models, and checks."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from components.decision import Bound
from components.profile import NetworkProfile
from components.student_gate.rules import TOP1, TOP5, Rule
from kd_trainer.metrics import top_k_accuracy

_K = {TOP1: 1, TOP5: 5}


class _Budget(NamedTuple):
    metric: str
    measured: str  # the profile's field
    unit: Literal["share", "count", "bytes", "ratio", "nats"]
    is_minimum: bool = False


_BUDGETS = {
    "max_parameters": _Budget("trainable parameters", "parameters", "count"),
    "max_bytes": _Budget("size of the SavedModel", "bytes", "bytes"),
    "max_latency_ratio": _Budget(
        "time of an image as a share of the teacher's", "latency_ratio", "ratio"
    ),
    "min_agreement": _Budget("agreement with the teacher", "agreement", "share", is_minimum=True),
    "max_divergence": _Budget("divergence from the teacher", "divergence", "nats"),
    "max_calibration_error": _Budget("calibration error", "calibration_error", "share"),
}


def budgets(gate: Mapping[str, float | None], student: NetworkProfile) -> list[Bound]:
    """Compares the student's profile with the budgets that a gate sets.

    Args:
      gate: the configuration's section `gate`.
      student: what was measured.
    """
    bounds = []
    for name, budget in _BUDGETS.items():
        bound, value = gate[name], getattr(student, budget.measured)
        if bound is not None:
            bounds.append(
                Bound(
                    key=f"gate.{name}",
                    metric=budget.metric,
                    subject="student",
                    slice="overall",
                    value=value,
                    bound=bound,
                    is_minimum=budget.is_minimum,
                    unit=budget.unit,
                    passed=value >= bound if budget.is_minimum else value <= bound,
                    judge="budget",
                )
            )
    return bounds


def accuracy(
    subject: str,
    rules: Mapping[Rule, float],
    predictions: Mapping[str, np.ndarray],
    superclass_names: list[str],
) -> list[Bound]:
    """Holds a network to the bounds on accuracy, which TFMA holds the student to.

    Args:
      subject: the network's name in the predictions.
      rules: the bounds.
      predictions: as `predictions.npz` holds them.
      superclass_names: by superclass number.
    """
    labels, superclasses = predictions["labels"], predictions["coarse_labels"]
    bounds = []
    for rule, bound in rules.items():
        parts = {"overall": np.full(len(labels), True)}
        if rule.by_superclass:
            parts = {superclass_names[n]: superclasses == n for n in np.unique(superclasses)}
        for slice_name, part in parts.items():
            share = {
                name: top_k_accuracy(predictions[name][part], labels[part], _K[rule.measure])
                for name in (subject, rule.reference)
                if name is not None
            }
            compared = rule.compare(share[subject], share.get(rule.reference or ""))
            bounds.append(
                rule.found(
                    compared,
                    bound,
                    subject=subject,
                    slice_name=slice_name,
                    passed=rule.passes(compared, bound),
                    judge="budget",
                )
            )
    return bounds
