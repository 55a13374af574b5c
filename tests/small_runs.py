"""The smallest run that goes through every node, and how it is written on the command line."""

from collections.abc import Mapping
from typing import Any

# What is learned is not looked at, so that the gate lets all by.
SMALL = {
    "data.limit": 300,
    "teacher.network": "resnet8",
    "recipe.epochs": 1,
    "teacher.recipe": "{epochs: 1}",
    "gate.min_accuracy": 0,
    "gate.min_change": -1,
}


def sets(settings: Mapping[str, Any], **more: Any) -> list[str]:
    """Returns settings as words; of those by keyword `gate__min_change` is `gate.min_change`."""
    values = {**settings, **{key.replace("__", "."): value for key, value in more.items()}}
    return [word for key, value in values.items() for word in ("--set", f"{key}={value}")]
