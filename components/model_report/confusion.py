"""Which superclasses a student takes for which others."""

from typing import Any

import numpy as np

from components.model_report.run import Run

_UNKNOWN = -1


def matrix(run: Run) -> dict[str, Any]:
    """Returns the student's confusion matrix by superclass.

    Args:
      run: gives labels and predictions of `test`.

    Returns:
      `names` of the superclasses in `test`, and `counts`: a row for each of what the images show,
      a column for each of what the student says. `other` is last, where the student says classes
      that `test` has no image of, and so no superclass.
    """
    shown = list(np.unique(run.coarse_labels))
    superclass = np.full(len(run.profile.class_names), _UNKNOWN)
    superclass[run.labels] = run.coarse_labels
    said = superclass[run.predictions["student"]]
    names = [run.profile.superclass_names[number] for number in shown]
    if _UNKNOWN in said:
        shown.append(_UNKNOWN)
        names.append("other")
    counts = [
        [int(np.sum((run.coarse_labels == row) & (said == column))) for column in shown]
        for row in shown
    ]
    return {"names": names, "counts": counts}
