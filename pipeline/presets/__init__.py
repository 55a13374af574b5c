"""The presets: YAML files, of which one may extend another.

`extends: NAME` takes what a preset does not give from another one. Sections are not merged: one
that is given stands in the other's place as a whole.
"""

from pathlib import Path
from typing import Any

from kd_trainer import strict_yaml
from kd_trainer.errors import ConfigError, nearest

FOLDER = Path(__file__).parent


def names() -> list[str]:
    """Returns the names of the presets."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def read(name: str) -> dict[str, Any]:
    """Returns a preset's document, with what it has of those that it extends.

    Args:
      name: one of `names()`.

    Raises:
      ConfigError: there is no such preset, it extends one that there is not, with the nearest
        known ones, or it extends itself.
    """
    if name not in names():
        raise ConfigError(f"There is no preset named {name!r}. {nearest(name, names())}")
    chain, document = [name], _own(name)
    while (extended := document.pop("extends", None)) is not None:
        where = f"The preset {chain[-1]!r} extends {extended!r}"
        if extended not in names():
            raise ConfigError(f"{where}, which is none. {nearest(str(extended), names())}")
        if extended in chain:
            raise ConfigError(
                f"{where}, which extends {chain[-1]!r} in its turn: "
                f"{' -> '.join([*chain, extended])}. Leave 'extends' out of one of them."
            )
        chain.append(extended)
        document = {**_own(extended), **document}
    return document


def _own(name: str) -> dict[str, Any]:
    return strict_yaml.load((FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
