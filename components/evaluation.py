"""What TFMA measured, read from an evaluation."""

from typing import Any, Literal

import tensorflow_model_analysis as tfma

from components.student_gate.rules import SUPERCLASS

Slice = tuple[tuple[str, Any], ...]


def metrics(
    evaluation: str, model: Literal["candidate", "baseline"]
) -> dict[Slice, dict[str, float]]:
    """Returns a model's metrics by slice, `()` being all images, and by name.

    Args:
      evaluation: directory that `GateEvaluator` wrote.
      model: which of the two that it compared.
    """
    result: Any = tfma.load_eval_result(evaluation, model_name=model)
    return {
        key: {
            name: value["doubleValue"]
            for name, value in found[""][""].items()
            if "doubleValue" in value
        }
        for key, found in result.slicing_metrics
        if not key or key[0][0] == SUPERCLASS
    }
