"""The gate's bounds on accuracy as TFMA's configuration."""

from collections.abc import Mapping

import tensorflow_model_analysis as tfma

from components.student_gate.rules import SUPERCLASS, TOP1, TOP5, Rule, rules
from pipeline.config import GateConfig

_OVERALL = tfma.SlicingSpec()
_SUPERCLASSES = tfma.SlicingSpec(feature_keys=[SUPERCLASS])
_METRICS = {
    TOP1: ("SparseCategoricalAccuracy", ""),
    TOP5: ("SparseTopKCategoricalAccuracy", f'{{"k": 5, "name": "{TOP5}"}}'),
}


def eval_config(gate: GateConfig) -> tfma.EvalConfig:
    """Returns what is measured of student and baseline, and what is wanted of it.

    Top-1 and top-5 accuracy, overall and for each superclass. With `rebaseline` what is compared
    with the baseline is measured, and has no threshold.
    """
    return _eval_config(rules(gate.model_dump(), "baseline"))


def teacher_eval_config(gate: GateConfig) -> tfma.EvalConfig | None:
    """Returns the same where the teacher is the baseline; None if nothing is wanted of that."""
    bounds = rules(gate.model_dump(), "teacher")
    return _eval_config(bounds) if bounds else None


def _eval_config(bounds: Mapping[Rule, float]) -> tfma.EvalConfig:
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
