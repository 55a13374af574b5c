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


def overrides(settings: Mapping[str, Any], **more: Any) -> list[str]:
    """Returns settings as `key=value`; `gate.min_change` is the keyword `gate__min_change`."""
    values = {**settings, **{key.replace("__", "."): value for key, value in more.items()}}
    return [f"{key}={value}" for key, value in values.items()]


def sets(settings: Mapping[str, Any], **more: Any) -> list[str]:
    """Returns settings as words of the command line, by `overrides`."""
    return [word for override in overrides(settings, **more) for word in ("--set", override)]
