"""Overrides of a preset, as `--set` takes them."""

from collections.abc import Sequence
from typing import Any

from kd_trainer import strict_yaml
from kd_trainer.errors import ConfigError

_SHOWN = 200  # letters of an override
_METHOD = ("method=", "method.name=")
# How a teacher or student is chosen, and what of the preset's that takes the place of.
_CHOICES = {"network": ("from", "taps"), "from": ("network", "taps", "recipe")}
_ROLES = ("teacher", "student")


def apply(document: dict[str, Any], overrides: Sequence[str]) -> None:
    """Changes a document in place.

    Args:
      document: a preset's.
      overrides: `key.sub=value`, where the value is YAML.

    Raises:
      ConfigError: an override without `=`, a key below a value, or a value that is no YAML.
    """
    _choose_networks(document, overrides)
    # The method first: another method starts without the hyper-parameters of the preset's.
    for override in sorted(overrides, key=lambda text: not text.startswith(_METHOD)):
        _apply(document, override)


def _choose_networks(document: dict[str, Any], overrides: Sequence[str]) -> None:
    """Drops the preset's teacher or student where the overrides choose another kind."""
    for override in overrides:
        role, _, choice = override.partition("=")[0].strip().partition(".")
        for dropped in _CHOICES.get(choice, ()) if role in _ROLES else ():
            document[role].pop(dropped, None)


def _apply(document: dict[str, Any], override: str) -> None:
    key, separator, value = override.partition("=")
    if not separator:
        raise ConfigError(
            f"--set takes key=value, such as method.name=fitnet; {override!r} has no '='."
        )
    *parents, last = key.strip().split(".")
    section = document
    for parent in parents:
        section = section.setdefault(parent, {})
        if not isinstance(section, dict):
            raise ConfigError(
                f"--set {override}: {parent!r} is {section!r} and has no keys of its own."
            )
    if key == "method.name" and section.get("name") != value:
        section.clear()
    try:
        parsed = strict_yaml.load(value)
    except ValueError as error:
        start = override if len(override) <= _SHOWN else f"{override[:_SHOWN]}..."
        raise ConfigError(f"--set {start}: the value is not valid YAML: {error}") from None
    # A method's name alone, which hyper-parameters may be set beside.
    section[last] = {"name": parsed} if key == "method" and isinstance(parsed, str) else parsed
