"""What the gate decides itself; what TFMA decides is in tests/pipeline/test_gate.py."""

import numpy as np
import pytest

from components.decision import Bound
from components.profile import NetworkProfile
from components.student_gate import budgets, checks
from components.student_gate.rules import rules
from pipeline.config import GateConfig

STUDENT = NetworkProfile(
    top1=0.8,
    top5=0.9,
    calibration_error=0.05,
    parameters=1000,
    bytes=5000,
    latency_ms=2.0,
    latency_ratio=0.5,
    agreement=0.75,
    divergence=0.25,
)
MEASURED = {
    "max_parameters": "parameters",
    "max_bytes": "bytes",
    "max_latency_ratio": "latency_ratio",
    "min_agreement": "agreement",
    "max_divergence": "divergence",
    "max_calibration_error": "calibration_error",
}


def gate(**bounds) -> dict:
    return GateConfig.model_validate({"min_accuracy": 0, **bounds}).model_dump()


@pytest.mark.parametrize("name", MEASURED)
def test_a_budget_may_be_met_exactly_and_not_be_passed_by(name):
    value = getattr(STUDENT, MEASURED[name])
    worse = value - 1 if MEASURED[name] in ("parameters", "bytes") else value * 0.999
    if name.startswith("min_"):
        worse = value * 1.001
    (met,) = budgets.budgets(gate(**{name: value}), STUDENT)
    (missed,) = budgets.budgets(gate(**{name: worse}), STUDENT)
    assert (met.passed, missed.passed) == (True, False)
    assert (met.key, met.value, met.bound, met.subject) == (f"gate.{name}", value, value, "student")
    assert met.is_minimum == name.startswith("min_")


@pytest.mark.parametrize("name", [name for name in MEASURED if "parameters" not in name][1:])
def test_what_is_not_a_number_passes_no_budget(name):
    broken = STUDENT.model_copy(update={MEASURED[name]: float("nan")})
    (found,) = budgets.budgets(gate(**{name: 1}), broken)
    assert not found.passed
    assert np.isnan(Bound.model_validate_json(found.model_dump_json()).value)


# Ten images of each of two superclasses: the baseline is right on 8 of each, the teacher on all;
# the TFLite model on 9 and 6.
RIGHT = {"baseline": [8, 8], "teacher": [10, 10], "tflite int8": [9, 6]}
EXACT = {
    "min_accuracy": 0.75,
    "min_top5": 1.0,
    "min_change": -0.05,
    "min_relative_change": -0.0625,
    "max_superclass_drop": 0.2,
    "min_teacher_share": 0.75,
}


@pytest.fixture
def predictions():
    labels = np.zeros(20, int)
    rows = {}
    for name, (first, second) in RIGHT.items():
        right = np.r_[np.arange(10) < first, np.arange(10) < second]
        rows[name] = np.where(right[:, None], [[0.9] + [0.01] * 9], [[0.1, 0.9] + [0.0] * 8])
    return {"labels": labels, "coarse_labels": np.repeat([3, 5], 10), **rows}


NAMES = [str(number) for number in range(6)]


def refused(predictions, **changes):
    found = budgets.accuracy("tflite int8", rules(gate(**{**EXACT, **changes})), predictions, NAMES)
    assert {bound.subject for bound in found} == {"tflite int8"}
    return [(bound.key, bound.slice, bound.value) for bound in found if not bound.passed]


def test_a_tflite_model_is_held_to_the_bounds_on_accuracy(predictions):
    assert refused(predictions) == []
    assert len(budgets.accuracy("tflite int8", rules(gate(**EXACT)), predictions, NAMES)) == 7


@pytest.mark.parametrize(
    ("name", "value", "slice_name"),
    [
        ("min_accuracy", 0.75, "overall"),
        ("min_change", -0.05, "overall"),
        ("min_relative_change", -0.0625, "overall"),
        ("max_superclass_drop", 0.2, "5"),
        ("min_teacher_share", 0.75, "overall"),
    ],
)
def test_a_tflite_model_is_refused_by_exactly_that_bound(predictions, name, value, slice_name):
    tighter = EXACT[name] + (-1e-4 if name.startswith("max_") else 1e-4)
    assert refused(predictions, **{name: tighter}) == [(f"gate.{name}", slice_name, value)]


def test_top5_of_a_tflite_model(predictions):
    predictions["tflite int8"][0] = np.arange(10)  # the label comes last
    assert ("gate.min_top5", "overall", 0.95) in refused(predictions)


def test_a_share_of_nothing_passes_no_bound(predictions):
    predictions["baseline"] = np.tile(np.arange(10.0), (20, 1))
    (found,) = [
        bound
        for bound in budgets.accuracy(
            "tflite int8", rules(gate(min_relative_change=-1)), predictions, NAMES
        )
        if bound.key == "gate.min_relative_change"
    ]
    assert not found.passed
    assert np.isnan(found.value)


def test_rebaseline_sets_the_comparisons_with_the_baseline_aside():
    kept = {rule.name for rule in rules(gate(**EXACT, rebaseline=True))}
    assert kept == {"min_accuracy", "min_top5", "min_teacher_share"}
    assert {rule.name for rule in rules(gate(**EXACT))} == set(EXACT)


def test_what_the_model_checker_found_decides():
    found = checks.answers_as_in_memory(1, "it does not load")
    assert not found.passed
    assert "it does not load" in found.metric
    assert checks.answers_as_in_memory(0, "").passed


def test_a_withdrawn_version_is_known_again(tmp_path):
    def model(folder, content):
        (folder / "variables").mkdir(parents=True)
        (folder / "saved_model.pb").write_text("graph", encoding="utf-8")
        (folder / "variables" / "variables.index").write_text(content, encoding="utf-8")
        return str(folder)

    student = model(tmp_path / "student", "one")
    serving = tmp_path / "serving"
    assert checks.not_withdrawn(student, str(serving)).passed
    model(serving / "8", "one")  # in service: that is no reason
    model(serving / ".withdrawn" / "7", "another")
    assert checks.not_withdrawn(student, str(serving)).passed
    model(serving / ".withdrawn" / "6", "one")
    found = checks.not_withdrawn(student, str(serving))
    assert (found.key, found.passed, found.value) == ("not_withdrawn", False, 1)
