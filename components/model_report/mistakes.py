"""What the student gets wrong and the teacher does not."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Confusion:
    """Images of one class that are taken for another.

    Attributes:
      label: the class that they are of, its number.
      predicted: the class that they are taken for, its number.
      student: how many the student takes so.
      teacher: how many the teacher takes so.
    """

    label: int
    predicted: int
    student: int
    teacher: int


def confusions(
    labels: np.ndarray, student: np.ndarray, teacher: np.ndarray, most: int
) -> list[Confusion]:
    """Returns the confusions that the student makes more often, by the difference.

    Args:
      labels: `(n,)`, class numbers.
      student: `(n,)`, the classes that the student says.
      teacher: `(n,)`, the classes that the teacher says.
      most: how many at most.
    """
    of_student, of_teacher = _count(labels, student), _count(labels, teacher)
    found = [
        Confusion(label, predicted, count, of_teacher.get((label, predicted), 0))
        for (label, predicted), count in of_student.items()
    ]
    more_often = [pair for pair in found if pair.student > pair.teacher]
    more_often.sort(
        key=lambda pair: (pair.teacher - pair.student, -pair.student, pair.label, pair.predicted)
    )
    return more_often[:most]


def lost_images(
    labels: np.ndarray, student: np.ndarray, teacher: np.ndarray, most: int
) -> np.ndarray:
    """Returns the positions of images that the student gets wrong and the teacher right.

    Those that the student is surest of come first.

    Args:
      labels: `(n,)`, class numbers.
      student: `(n, classes)`, probabilities.
      teacher: `(n, classes)`, probabilities.
      most: how many at most.
    """
    lost = np.flatnonzero((student.argmax(1) != labels) & (teacher.argmax(1) == labels))
    surest_first = np.argsort(-student[lost].max(1), kind="stable")
    return lost[surest_first][:most]


def _count(labels: np.ndarray, predicted: np.ndarray) -> dict[tuple[int, int], int]:
    wrong = labels != predicted
    pairs, counts = np.unique(
        np.stack([labels[wrong], predicted[wrong]], axis=1), axis=0, return_counts=True
    )
    return {(int(one), int(other)): int(n) for (one, other), n in zip(pairs, counts, strict=True)}
