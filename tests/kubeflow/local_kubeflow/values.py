"""Parameters' values, as Go's `structpb.Value` holds and prints them."""

import json
from typing import Any

from local_kubeflow.errors import SpecError

_TYPES: dict[str, tuple[type, ...]] = {
    "STRING": (str,),
    "NUMBER_INTEGER": (int, float),
    "NUMBER_DOUBLE": (int, float),
    "BOOLEAN": (bool,),
    "LIST": (list,),
    "STRUCT": (dict,),
}


def typed(name: str, value: Any, kind: str) -> Any:
    """Returns an input parameter's value; what is no text becomes one where a text is expected.

    Args:
      name: the parameter's.
      value: as it was resolved.
      kind: a parameterType.

    Raises:
      SpecError: it is of another type.
    """
    if kind == "STRING":
        return text(value)
    if type(value) not in _TYPES[kind]:
        raise SpecError(f"input parameter {name!r} type mismatch: expect {kind}, got {value!r}")
    return value


def text(value: Any) -> str:
    """Returns what a placeholder of the value is replaced by."""
    if isinstance(value, str):
        return value
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value)
