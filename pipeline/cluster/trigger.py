"""When a recurring run runs, as Kubeflow Pipelines takes it."""

import re
from collections.abc import Mapping
from typing import Any

from kd_trainer.errors import ConfigError

# The API's Trigger, in JSON.
Trigger = dict[str, dict[str, str]]

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def cron(expression: str) -> Trigger:
    """Returns the trigger of a cron expression.

    Args:
      expression: of the usual five fields. Kubeflow's has the seconds before them; given five, it
        would take the minutes for seconds.

    Raises:
      ConfigError: it has not five fields. What is in them the server checks.
    """
    fields = expression.split()
    if len(fields) != 5:
        raise ConfigError(
            f"--cron: found {expression!r}, expected five fields: minute, hour, day of the month, "
            "month, day of the week, such as '0 2 * * 1' for Mondays at two."
        )
    return {"cron_schedule": {"cron": " ".join(["0", *fields])}}


def every(interval: str) -> Trigger:
    """Returns the trigger of an interval.

    Args:
      interval: a number of minutes, hours or days, such as `90m`, `12h` or `7d`.

    Raises:
      ConfigError: it is not of that form.
    """
    found = re.fullmatch(r"([1-9][0-9]*)([mhd])", interval)
    if not found:
        raise ConfigError(f"--every: found {interval!r}, expected such as 90m, 12h or 7d.")
    count, unit = found.groups()
    return {"periodic_schedule": {"interval_second": str(int(count) * _SECONDS[unit])}}


def text(trigger: Mapping[str, Any]) -> str:
    """Returns a trigger, as the API has it, as a person reads it; nothing for an empty one."""
    if schedule := trigger.get("cron_schedule"):
        seconds, *fields = schedule["cron"].split()
        return "cron " + " ".join(fields if seconds == "0" else [seconds, *fields])
    if schedule := trigger.get("periodic_schedule"):
        seconds = int(schedule["interval_second"])
        units = [(seconds // size, unit) for unit, size in _SECONDS.items() if seconds % size == 0]
        return "every {}{}".format(*units[-1])
    return ""
