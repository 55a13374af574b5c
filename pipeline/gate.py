"""The gate as TFMA's configuration."""

import tensorflow_model_analysis as tfma

from pipeline.config import GateConfig

TOP1 = "sparse_categorical_accuracy"
TOP5 = "top5"


def eval_config(gate: GateConfig) -> tfma.EvalConfig:
    """Returns what the Evaluator measures and what blesses a student.

    Top-1 and top-5 accuracy, overall and for each superclass; the bounds are on the overall top-1.
    """
    bounds = tfma.MetricThreshold()
    if gate.min_accuracy is not None:
        bounds.value_threshold.lower_bound.value = gate.min_accuracy
    if gate.min_change is not None:
        bounds.change_threshold.direction = tfma.MetricDirection.HIGHER_IS_BETTER
        bounds.change_threshold.absolute.value = gate.min_change
    overall = tfma.PerSliceMetricThreshold(slicing_specs=[tfma.SlicingSpec()], threshold=bounds)
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                signature_name="serving_default",
                label_key="label",
                prediction_key="probabilities",
            )
        ],
        slicing_specs=[tfma.SlicingSpec(), tfma.SlicingSpec(feature_keys=["coarse_label"])],
        metrics_specs=[
            tfma.MetricsSpec(
                metrics=[
                    tfma.MetricConfig(
                        class_name="SparseCategoricalAccuracy", per_slice_thresholds=[overall]
                    ),
                    tfma.MetricConfig(
                        class_name="SparseTopKCategoricalAccuracy",
                        config=f'{{"k": 5, "name": "{TOP5}"}}',
                    ),
                ]
            )
        ],
    )
