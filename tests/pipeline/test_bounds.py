import pytest

from components.decision import Bound
from pipeline import bounds

pytestmark = pytest.mark.light


def bound(key="gate.min_accuracy", **fields):
    return Bound(
        **{
            "key": key,
            "metric": "top-1 accuracy",
            "subject": "student",
            "slice": "overall",
            "value": 0.8,
            "bound": 0.6,
            "is_minimum": True,
            "unit": "share",
            "passed": True,
            "judge": "TFMA",
            **fields,
        }
    )


@pytest.mark.parametrize(
    ("unit", "value", "text"),
    [
        ("share", 0.83625, "83.62%"),
        ("points", -0.03, "-3.00%"),
        ("count", 83892.0, "83,892"),
        ("bytes", 341_234.0, "341.2 kB"),
        ("bytes", 5e6, "5.0 MB"),
        ("ratio", 0.4512, "0.45x"),
        ("nats", 0.123456, "0.123 nats"),
        ("nats", float("nan"), "not a number"),
    ],
)
def test_quantities_are_in_their_unit(unit, value, text):
    assert bounds.quantity(value, bound(unit=unit)) == text


def test_a_sentence_names_what_was_measured_where_it_is_not_the_student_overall():
    assert bounds.sentence(bound()) == "top-1 accuracy is 80.00%, must be at least 60.00%"
    other = bound(subject="tflite int8", slice="trees", is_minimum=False)
    assert bounds.sentence(other) == (
        "top-1 accuracy of tflite int8 on trees is 80.00%, must be at most 60.00%"
    )


def drop(slice_name, value, subject="student"):
    return bound(
        "gate.max_superclass_drop",
        slice=slice_name,
        value=value,
        bound=0.1,
        is_minimum=False,
        passed=value <= 0.1,
        subject=subject,
    )


def test_of_superclasses_the_worst_and_the_refused_are_notable():
    passing = [drop("fish", -0.1), drop("trees", 0.05), drop("people", 0.02)]
    assert [b.slice for b in bounds.notable(passing)] == ["trees"]
    refused = [*passing, drop("insects", 0.2), drop("flowers", 0.3)]
    assert [b.slice for b in bounds.notable(refused)] == ["flowers", "insects"]
    two = [*passing, *(drop(b.slice, b.value, "tflite int8") for b in passing)]
    assert [b.subject for b in bounds.notable(two)] == ["student", "tflite int8"]


def test_checks_that_are_always_made_are_notable_when_they_refuse():
    check = bound("not_withdrawn", unit="count")
    assert bounds.notable([bound(), check]) == [bound()]
    failed = check.model_copy(update={"passed": False})
    assert bounds.notable([failed]) == [failed]
