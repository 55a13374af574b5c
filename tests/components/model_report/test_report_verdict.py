from components.decision import Bound
from components.model_report.verdict import fold


def bound(key, slice, value, passed=True, subject="student", is_minimum=False):
    return Bound(
        key=key,
        metric=key,
        subject=subject,
        slice=slice,
        value=value,
        bound=0.1,
        is_minimum=is_minimum,
        unit="points",
        passed=passed,
        judge="TFMA",
    )


def test_of_superclasses_the_worst_and_the_refused_are_shown():
    overall = bound("gate.min_accuracy", "overall", 0.9, is_minimum=True)
    drops = [
        bound("gate.max_superclass_drop", "fish", 0.02),
        bound("gate.max_superclass_drop", "people", 0.3, passed=False),
        bound("gate.max_superclass_drop", "trees", 0.2, passed=False),
        bound("gate.max_superclass_drop", "flowers", -0.4),
    ]
    folded = fold([overall, *drops])
    assert [bound.slice for bound in folded.shown] == ["people", "trees", "overall"]
    assert [bound.slice for bound in folded.rest] == ["fish", "flowers"]


def test_where_all_pass_the_nearest_to_its_bound_is_shown_of_each_subject():
    drops = [
        bound("gate.max_superclass_drop", "fish", 0.02),
        bound("gate.max_superclass_drop", "trees", 0.08),
        bound("gate.max_superclass_drop", "fish", 0.05, subject="tflite int8"),
        bound("gate.max_superclass_drop", "trees", 0.01, subject="tflite int8"),
    ]
    folded = fold(drops)
    assert [(bound.slice, bound.subject) for bound in folded.shown] == [
        ("trees", "student"),
        ("fish", "tflite int8"),
    ]
    assert len(folded.rest) == 2


def test_the_nearest_to_a_least_value_is_the_smallest():
    shares = [
        bound("gate.some_share", name, value, is_minimum=True)
        for name, value in [("fish", 0.9), ("trees", 0.2), ("people", 0.5)]
    ]
    assert [bound.slice for bound in fold(shares).shown] == ["trees"]
