"""TFMA's verdict, read from an evaluation."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import tensorflow_model_analysis as tfma

from components.decision import Bound
from components.evaluation import metrics
from components.student_gate.rules import Rule


def read(
    evaluation: str, rules: Mapping[Rule, float], superclass_names: Sequence[str]
) -> list[Bound]:
    """Returns what TFMA found of each bound.

    Args:
      evaluation: directory that TFX's Evaluator wrote.
      rules: the bounds that were set as its thresholds.
      superclass_names: by superclass number.

    Raises:
      RuntimeError: TFMA refuses, and not by these bounds, or looked at none: the evaluation is not
        that of this configuration.
    """
    validation = tfma.load_validation_result(evaluation)
    failures = defaultdict(list)
    for failed_slice in validation.metric_validations_per_slice:
        key = tfma.slicer.deserialize_slice_key(failed_slice.slice_key)
        for failure in failed_slice.failures:
            failures[key, failure.metric_key.name].append(failure.metric_threshold)
    student, reference = metrics(evaluation, "candidate"), metrics(evaluation, "baseline")
    bounds = []
    for rule, bound in rules.items():
        for key in sorted(student):
            if rule.by_superclass != bool(key):
                continue
            thresholds = failures[key, rule.measure]
            failed = rule.threshold(bound) in thresholds
            if failed:
                thresholds.remove(rule.threshold(bound))
            compared = rule.compare(student[key][rule.measure], reference[key][rule.measure])
            bounds.append(
                rule.found(
                    compared,
                    bound,
                    subject="student",
                    slice_name=superclass_names[key[0][1]] if key else "overall",
                    passed=not failed,
                    judge="TFMA",
                )
            )
    # TFMA refuses where it was given no threshold.
    agreed = (
        validation.validation_ok == all(bound.passed for bound in bounds)
        if rules
        else validation.missing_thresholds
    )
    if not agreed or any(failures.values()):
        raise RuntimeError(
            f"TFMA's verdict on {evaluation} is not that of the bounds "
            f"{', '.join(rule.name for rule in rules) or '(none)'}. It says:\n{validation}"
        )
    return bounds
