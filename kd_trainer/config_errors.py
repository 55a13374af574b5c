"""What pydantic finds wrong with a document, in words."""

from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from kd_trainer.errors import ConfigError, nearest


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
    location = [part for part in details["loc"] if isinstance(part, str)]
    key = (prefix + ".".join(location)).rstrip(".")
    if details["type"] == "extra_forbidden":
        return (
            f"There is no key {key!r}. {nearest(location[-1], _known_keys(model, location[:-1]))}"
        )
    if details["type"] == "missing":
        return f"The key {key!r} is missing."
    if details["type"] == "value_error" and isinstance(details["ctx"]["error"], ConfigError):
        return f"{key}: {details['ctx']['error']}" if key else str(details["ctx"]["error"])
    return f"{key}: {details['msg']}, found {details['input']!r}."


def _known_keys(model: type[BaseModel], path: Sequence[str]) -> list[str]:
    for part in path:
        annotation = model.model_fields[part].annotation
        # An optional section is a union with None.
        model = next(iter(get_args(annotation)), annotation)  # type: ignore[assignment]
    return [field.alias or name for name, field in model.model_fields.items()]
