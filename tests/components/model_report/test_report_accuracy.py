import numpy as np

from components.model_report.accuracy import GroupAccuracy, by_group

NAMES = ["apple", "bear", "cup", "dove"]


def test_a_class_that_occurs_is_measured_and_the_greatest_loss_comes_first():
    labels = np.array([0, 0, 1, 1, 1, 1, 3])
    predictions = {
        "teacher": np.array([0, 0, 1, 1, 1, 0, 0]),
        "student": np.array([0, 0, 1, 2, 2, 2, 3]),
        "baseline": np.array([1, 0, 0, 0, 0, 0, 3]),
    }
    assert by_group(labels, NAMES, labels, predictions) == [
        GroupAccuracy("bear", 4, {"teacher": 0.75, "student": 0.25, "baseline": 0.0}),
        GroupAccuracy("apple", 2, {"teacher": 1.0, "student": 1.0, "baseline": 0.5}),
        GroupAccuracy("dove", 1, {"teacher": 0.0, "student": 1.0, "baseline": 1.0}),
    ]


def test_a_superclass_counts_right_classes_and_not_right_superclasses():
    labels = np.array([0, 1, 2])
    superclasses = np.array([5, 5, 0])
    names = ["zero", "one", "two", "three", "four", "five"]
    predicted = np.array([1, 1, 2])
    found = by_group(superclasses, names, labels, {"teacher": predicted, "student": predicted})
    assert found == [
        GroupAccuracy("five", 2, {"teacher": 0.5, "student": 0.5}),
        GroupAccuracy("zero", 1, {"teacher": 1.0, "student": 1.0}),
    ]
