"""What is checked of every student, whatever the configuration."""

from components.decision import Bound
from components.serving_versions import same_model, withdrawn


def answers_as_in_memory(
    blessed: bool, max_difference: float, tolerance: float, reason: str
) -> Bound:
    """Says what the ModelChecker found of the exported model.

    Args:
      blessed: whether it answers as the model in memory.
      max_difference: the largest difference of a logit; NaN if it does not answer.
      tolerance: what is due to rounding.
      reason: what was found, in words.
    """
    return Bound(
        key="model_check",
        metric=f"exported model against the one in memory ({reason})",
        subject="student",
        slice="overall",
        value=max_difference,
        bound=tolerance,
        is_minimum=False,
        unit="nats",
        passed=blessed,
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
        metric="withdrawn versions that are this very model",
        subject="student",
        slice="overall",
        value=same,
        bound=0,
        is_minimum=False,
        unit="count",
        passed=not same,
        judge="budget",
    )
