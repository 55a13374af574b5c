"""What the literature reports of the networks of a run."""

from collections.abc import Mapping
from typing import Any

from components.cifar100_example_gen.known import OFFICIAL_FINGERPRINT
from kd_trainer import methods
from pipeline.config import PublishedConfig
from pipeline.plan import Plan


def figures(plan: Plan) -> PublishedConfig | None:
    """Returns the figures that a run can be held against.

    Returns:
      None where the setting is not a published one, or the data is not all of CIFAR-100 or, in a
      cluster, not known yet.
    """
    official = plan.data_fingerprint == OFFICIAL_FINGERPRINT
    return plan.config.published if official else None


def accuracy(plan: Plan, row: str) -> float | None:
    """Returns the published top-1 on test, a share, if there is one.

    Args:
      plan: the run.
      row: `teacher`, `baseline`, or a method as NAME/PRESET.
    """
    found = figures(plan)
    percent = found.accuracy.get(row) if found else None
    return None if percent is None else percent / 100


def accuracy_of_method(plan: Plan, spec: Any) -> float | None:
    """Returns the same of a method's student, if every hyper-parameter is its preset's.

    Args:
      plan: the run.
      spec: the method, resolved.
    """
    own = methods.own_part(spec)
    if not isinstance(own, Mapping) or own.keys() != {"name", "preset"}:
        return None
    return accuracy(plan, f"{own['name']}/{own['preset']}")
