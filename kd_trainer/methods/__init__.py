"""Distillation methods by name. A new method is one module here and one row in the table."""

import importlib
from collections.abc import Mapping
from typing import Any

from kd_trainer.errors import ConfigError, nearest
from kd_trainer.methods.base import Method, MethodConfig, Stage

# Modules are imported when asked for: they need Keras, the table does not.
METHODS = {
    "fitnet": "kd_trainer.methods.fitnet:FitNet",
    "soft_logits": "kd_trainer.methods.soft_logits:SoftLogits",
}

__all__ = ["METHODS", "Method", "MethodConfig", "Stage", "create", "method_class"]


def method_class(name: str) -> type[Method]:
    """Returns the class of a method.

    Raises:
      ConfigError: no method has that name; the nearest ones are named.
    """
    if name not in METHODS:
        raise ConfigError(f"There is no method named {name!r}. {nearest(name, list(METHODS))}")
    module, attribute = METHODS[name].split(":")
    return getattr(importlib.import_module(module), attribute)


def create(spec: Mapping[str, Any]) -> Method:
    """Builds a method from its specification.

    Args:
      spec: `name`, optionally `preset` (the method's first one if absent), and any of its
        hyper-parameters, which override the preset's.

    Raises:
      ConfigError: no name, or an unknown name or preset.
      pydantic.ValidationError: a hyper-parameter is unknown or out of its range.
    """
    if "name" not in spec:
        raise ConfigError(f"The method has no name. Known: {', '.join(sorted(METHODS))}.")
    overrides = dict(spec)
    cls = method_class(overrides.pop("name"))
    preset = overrides.pop("preset", None) or next(iter(cls.PRESETS))
    if preset not in cls.PRESETS:
        raise ConfigError(
            f"The method {spec['name']!r} has no preset named {preset!r}. "
            f"{nearest(preset, list(cls.PRESETS))}"
        )
    return cls(cls.Config.model_validate({**cls.PRESETS[preset], **overrides}), preset)
