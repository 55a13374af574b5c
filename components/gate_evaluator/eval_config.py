"""The gate's bounds on accuracy as TFMA's configuration."""

from collections.abc import Mapping
from typing import Any, Literal

import tensorflow_model_analysis as tfma

from components.student_gate.rules import SUPERCLASS, TOP1, TOP5, rules

_OVERALL = tfma.SlicingSpec()
_SUPERCLASSES = tfma.SlicingSpec(feature_keys=[SUPERCLASS])
_METRICS = {
    TOP1: ("SparseCategoricalAccuracy", ""),
    TOP5: ("SparseTopKCategoricalAccuracy", f'{{"k": 5, "name": "{TOP5}"}}'),
}


def eval_config(
    gate: Mapping[str, Any], reference: Literal["baseline", "teacher"]
) -> tfma.EvalConfig:
    """Returns what is measured of student and reference, and what is wanted of it.

    Top-1 and top-5 accuracy, overall and for each superclass. With `rebaseline` what is compared
    with the baseline is measured, and has no threshold.

    Args:
      gate: the bounds, as `gate_bounds.read` gives them.
      reference: whom the student is compared with, for its part of them.
    """
    bounds = rules(gate, reference)
    metrics = [
        tfma.MetricConfig(
            class_name=class_name,
            config=config,
            per_slice_thresholds=[
                tfma.PerSliceMetricThreshold(
                    slicing_specs=[_SUPERCLASSES if rule.by_superclass else _OVERALL],
                    threshold=rule.threshold(bound),
                )
                for rule, bound in bounds.items()
                if rule.measure == measure
            ],
        )
        for measure, (class_name, config) in _METRICS.items()
    ]
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                signature_name="serving_default",
                label_key="label",
                prediction_key="probabilities",
            )
        ],
        slicing_specs=[_OVERALL, _SUPERCLASSES],
        metrics_specs=[tfma.MetricsSpec(metrics=metrics)],
    )
