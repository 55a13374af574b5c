"""What pydantic finds wrong with a document, in words."""

import re
import textwrap
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from kd_trainer.errors import ConfigError, nearest

_UNION = re.compile(r"(list|dict|literal)\[.*\]")


def explain(error: ValidationError, model: type[BaseModel], prefix: str = "") -> str:
    """Turns findings into lines that name the key, what was found and what fits.

    Args:
      error: the findings.
      model: what the document was held against.
      prefix: what stands before its keys.
    """
    errors = error.errors()
    locations = {details["loc"] for details in errors}
    return "\n".join(
        _line(details, model, prefix)
        for details in errors
        # What the teacher's recipe inherits is told where it comes from.
        if details["loc"][:1] != ("teacher",) or details["loc"][1:] not in locations
    )


def _line(details: Any, model: type[BaseModel], prefix: str) -> str:
    location = _location(details)
    key = (prefix + ".".join(location)).rstrip(".")
    if details["type"] == "extra_forbidden":
        return (
            f"There is no key {key!r}. {nearest(location[-1], _known_keys(model, location[:-1]))}"
        )
    if details["type"] == "missing":
        return f"The key {key!r} is missing."
    if details["type"] == "value_error" and isinstance(details["ctx"]["error"], ConfigError):
        return f"{key}: {details['ctx']['error']}" if key else str(details["ctx"]["error"])
    return f"{key}: {details['msg']}, found {textwrap.shorten(repr(details['input']), 200)}."


def _location(details: Any) -> list[str]:
    """Returns the key's parts: numbers are of a list's items, some others of a union's types."""
    unknown = details["loc"][-1:] if details["type"] == "extra_forbidden" else ()
    known = details["loc"][: len(details["loc"]) - len(unknown)]
    return [
        *(part for part in known if isinstance(part, str) and not _UNION.fullmatch(part)),
        *unknown,
    ]


def _known_keys(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    for part in path:
        annotation = model.model_fields[part].annotation
        # An optional section is a union with None.
        model = next(iter(get_args(annotation)), annotation)  # type: ignore[assignment]
    return [field.alias or name for name, field in model.model_fields.items()]
