"""The gate's bounds on accuracy as TFMA's configuration."""

from collections.abc import Mapping
from typing import Any, Literal

from tensorflow_model_analysis.proto import config_pb2

from components.student_gate.rules import SUPERCLASS, TOP1, TOP5, rules

_OVERALL = config_pb2.SlicingSpec()
_SUPERCLASSES = config_pb2.SlicingSpec(feature_keys=[SUPERCLASS])
_METRICS = {
    TOP1: ("SparseCategoricalAccuracy", ""),
    TOP5: ("SparseTopKCategoricalAccuracy", f'{{"k": 5, "name": "{TOP5}"}}'),
}


def eval_config(
    gate: Mapping[str, Any], reference: Literal["baseline", "teacher"]
) -> config_pb2.EvalConfig:
    """Returns what is measured of student and reference, and what is wanted of it.

    Top-1 and top-5 accuracy, overall and for each superclass. With `rebaseline` what is compared
    with the baseline is measured, and has no threshold.

    Args:
      gate: the bounds, as `gate_bounds.read` gives them.
      reference: whom the student is compared with, for its part of them.
    """
    bounds = rules(gate, reference)
    metrics = [
        config_pb2.MetricConfig(
            class_name=class_name,
            config=config,
            per_slice_thresholds=[
                config_pb2.PerSliceMetricThreshold(
                    slicing_specs=[_SUPERCLASSES if rule.by_superclass else _OVERALL],
                    threshold=rule.threshold(bound),
                )
                for rule, bound in bounds.items()
                if rule.measure == measure
            ],
        )
        for measure, (class_name, config) in _METRICS.items()
    ]
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(
                signature_name="serving_default",
                label_key="label",
                prediction_key="probabilities",
            )
        ],
        slicing_specs=[_OVERALL, _SUPERCLASSES],
        metrics_specs=[config_pb2.MetricsSpec(metrics=metrics)],
    )
