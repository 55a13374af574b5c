"""What is checked of every student, whatever the configuration."""

from components.decision import Bound
from components.serving_versions import same_model, withdrawn


def answers_as_in_memory(faults: int, reason: str) -> Bound:
    """Says what the ModelChecker found of the exported model.

    Args:
      faults: how many.
      reason: what they are, in words.
    """
    return Bound(
        key="model_check",
        metric="number of faults of the exported model" + (f" ({reason})" if reason else ""),
        subject="student",
        slice="overall",
        value=faults,
        bound=0,
        is_minimum=False,
        unit="count",
        passed=not faults,
        judge="budget",
    )


def not_withdrawn(model_path: str, push_directory: str) -> Bound:
    """Says whether a student is a version that was taken out of service on purpose.

    Args:
      model_path: the student's SavedModel.
      push_directory: where versions are pushed to.
    """
    same = sum(same_model(path, model_path) for path in withdrawn(push_directory))
    return Bound(
        key="not_withdrawn",
        metric="number of withdrawn versions that are this very model",
        subject="student",
        slice="overall",
        value=same,
        bound=0,
        is_minimum=False,
        unit="count",
        passed=not same,
        judge="budget",
    )
