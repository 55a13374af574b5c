"""Recurring runs by name: Kubeflow lets several share one, here a name stands for one schedule."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

from kd_trainer.errors import ConfigError, nearest
from pipeline.cluster.service import Job, Service

Change = Literal["created", "replaced", "enabled", "unchanged"]


def put(service: Service, wanted: Mapping[str, Any]) -> Change:
    """Makes a recurring run the only one of its name, enabled.

    The API cannot change a recurring run, so that another one takes its place: it is created
    disabled, then the old one is deleted, then the new one is enabled. In this order two are never
    enabled, which would train twice and push over each other, and the old one works until the
    server has taken the new one. A call that is killed leaves more than one, or the new one still
    disabled; each call looks first and does what is left to do.

    Args:
      service: where.
      wanted: the API's RecurringRun, in JSON, but for its mode and description.

    Returns:
      What was done.
    """
    # The server fills in what is left out, so what it tells cannot be compared with what is
    # wanted. The description is kept as it is.
    digest = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:16]
    description = f"tfx-distill kubeflow schedule, {digest}"
    found = service.recurring_named(wanted["display_name"])
    same = sorted((job for job in found if job.description == description), key=is_enabled)
    change: Change
    if same:
        kept = same[-1]
        change = "unchanged" if is_enabled(kept) else "enabled"
    else:
        mode, change = ("DISABLE", "replaced") if found else ("ENABLE", "created")
        kept = service.create_recurring({**wanted, "description": description, "mode": mode})
    for job in found:
        if job.recurring_run_id != kept.recurring_run_id:
            service.delete(job)
    if not is_enabled(kept):
        service.enable(kept)
    return change


def pause(service: Service, name: str) -> None:
    """Disables a recurring run.

    Raises:
      ConfigError: no recurring run has that name.
    """
    for job in _existing(service, name):
        if is_enabled(job):
            service.disable(job)


def resume(service: Service, name: str) -> None:
    """Enables a recurring run again.

    Raises:
      ConfigError: none has that name, or several, of which two must not be enabled.
    """
    first, *others = _existing(service, name)
    if others:
        raise ConfigError(
            f"{len(others) + 1} recurring runs have the name {name!r}, as a killed `schedule` "
            "leaves them. Run that `schedule` again: it keeps one and enables it."
        )
    if not is_enabled(first):
        service.enable(first)


def delete(service: Service, name: str) -> None:
    """Deletes a recurring run; the runs that it started stay.

    Raises:
      ConfigError: no recurring run has that name.
    """
    for job in _existing(service, name):
        service.delete(job)


def is_enabled(job: Job) -> bool:
    """Whether a recurring run starts runs."""
    return job.status == "ENABLED"


def _existing(service: Service, name: str) -> list[Job]:
    found = service.recurring_named(name)
    if not found:
        known = sorted({job.display_name for job in service.recurring()})
        hint = nearest(name, known) if known else "There are none."
        raise ConfigError(f"No recurring run has the name {name!r}. {hint}")
    return found
