"""Superclasses that a student takes for one another."""

from types import SimpleNamespace

import numpy as np
import pytest

from components.model_report import confusion


@pytest.fixture
def run():
    """Six classes, two of each superclass; `test` has images of the first five."""
    return SimpleNamespace(
        labels=np.array([0, 1, 2, 3, 4, 4]),
        coarse_labels=np.array([0, 0, 1, 1, 2, 2]),
        predictions={"student": np.array([1, 2, 3, 2, 0, 4])},
        profile=SimpleNamespace(class_names=list("abcdef"), superclass_names=["x", "y", "z"]),
    )


def test_rows_are_what_is_shown_and_columns_what_is_said(run):
    assert confusion.matrix(run) == {
        "names": ["x", "y", "z"],
        "counts": [[1, 1, 0], [0, 2, 0], [1, 0, 1]],
    }


def test_a_class_that_no_image_shows_is_another(run):
    run.predictions["student"][0] = 5
    assert confusion.matrix(run) == {
        "names": ["x", "y", "z", "other"],
        "counts": [[0, 1, 0, 1], [0, 2, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]],
    }


def test_superclasses_without_images_are_left_out(run):
    run.labels, run.coarse_labels = run.labels[2:4], run.coarse_labels[2:4]
    run.predictions = {"student": np.array([2, 3])}
    assert confusion.matrix(run) == {"names": ["y"], "counts": [[2]]}
