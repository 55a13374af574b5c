"""The gate's bounds in TFMA's configuration, as users of TFX read it."""

import pytest
from tensorflow_model_analysis.proto import config_pb2

from components.gate_evaluator.eval_config import eval_config
from components.student_gate.rules import ROUNDING
from pipeline import config, presets
from pipeline.config import GateConfig


def thresholds(found_config: config_pb2.EvalConfig) -> list[tuple]:
    """By metric: the slice, what is compared, and the least that passes."""
    found = []
    for metric in found_config.metrics_specs[0].metrics:
        for each in metric.per_slice_thresholds:
            (spec,) = each.slicing_specs
            if each.threshold.HasField("value_threshold"):
                kind, least = "value", each.threshold.value_threshold.lower_bound
            else:
                change = each.threshold.change_threshold
                assert change.direction == config_pb2.MetricDirection.HIGHER_IS_BETTER
                (field, least) = change.ListFields()[0]
                kind = field.name
            found.append((metric.class_name, list(spec.feature_keys), kind, least.value))
    return found


TOP1, TOP5 = "SparseCategoricalAccuracy", "SparseTopKCategoricalAccuracy"


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        ({"min_accuracy": 0.7}, (TOP1, [], "value", 0.7)),
        ({"min_top5": 0.9}, (TOP5, [], "value", 0.9)),
        ({"min_change": -0.03}, (TOP1, [], "absolute", -0.03)),
        ({"min_relative_change": 0.01}, (TOP1, [], "relative", 0.01)),
        ({"max_superclass_drop": 0.05}, (TOP1, ["coarse_label"], "absolute", -0.05)),
    ],
)
def test_each_bound_is_a_threshold_of_its_own(bound, expected):
    gate = GateConfig.model_validate(bound).model_dump()
    (found,) = thresholds(eval_config(gate, "baseline"))
    assert found[:-1] == expected[:-1]
    assert found[-1] == pytest.approx(expected[-1] - ROUNDING)
    assert not thresholds(eval_config(gate, "teacher"))


def test_the_teachers_share_is_a_change_against_the_teacher():
    chosen = GateConfig(min_teacher_share=0.95).model_dump()
    (found,) = thresholds(eval_config(chosen, "teacher"))
    assert found == (TOP1, [], "relative", pytest.approx(0.95 - 1 - ROUNDING))
    assert thresholds(eval_config(chosen, "baseline")) == []


def test_bounds_on_one_metric_stand_side_by_side():
    chosen = GateConfig(min_accuracy=0.7, min_change=-0.01, min_relative_change=0).model_dump()
    kinds = [kind for _, _, kind, _ in thresholds(eval_config(chosen, "baseline"))]
    assert kinds == ["value", "absolute", "relative"]


def test_with_rebaseline_changes_are_measured_without_a_threshold():
    chosen = GateConfig(
        rebaseline=True, min_top5=0.9, min_change=0, min_relative_change=0, max_superclass_drop=0
    ).model_dump()
    found = eval_config(chosen, "baseline")
    assert [kind for _, _, kind, _ in thresholds(found)] == ["value"]
    metrics = {metric.class_name for metric in found.metrics_specs[0].metrics}
    assert metrics == {TOP1, TOP5}


@pytest.mark.parametrize("preset", presets.names())
def test_a_preset_bounds_accuracy_and_change(preset):
    gate = config.load(preset).gate.model_dump()
    kinds = {kind for _, _, kind, _ in thresholds(eval_config(gate, "baseline"))}
    assert kinds >= {"value", "absolute"}
