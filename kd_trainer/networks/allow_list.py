"""Holds the configuration in a `.keras` file against the list of what is allowed.

Keras calls whatever of its own symbols a configuration names, and some of them write files, load
programs or change settings. So nothing is deserialized before all names in it are known ones.
"""

from typing import Any

from kd_trainer.networks import allowed
from kd_trainer.networks.allowed import Place

_MARKS = {"class_name", "module", "registered_name", "spec_name"}
_DATA = {"__ellipsis__", "__keras_tensor__", "__numpy__", "__slice__", "__tensor__"}


class NotAllowedError(ValueError):
    """A name that is not on the list; the message says which one, and where it stands."""


def check(config: Any) -> None:
    """Looks at every name in a model's configuration, and calls nothing of Keras.

    Args:
      config: what `config.json` holds.

    Raises:
      NotAllowedError: a class, function or word that is not on the list for its place, or a call
        that depends on no input, which Keras would run as it loads the model.
    """
    if not isinstance(config, dict) or not _MARKS & config.keys():
        raise NotAllowedError("config.json describes no model")
    _object(config, allowed.GRAPH, "")


def _value(value: Any, place: Place, where: str) -> None:
    if isinstance(value, dict):
        if _MARKS & value.keys():
            _object(value, place, where)
        else:
            _options(value, where)
    elif isinstance(value, list):
        for part in value:
            _value(part, place, where)
    elif isinstance(value, str) and place.words is not None and value not in place.words:
        raise NotAllowedError(f"{value!r} at {where}")


def _options(options: dict[str, Any], where: str) -> None:
    for name, value in options.items():
        place = allowed.PLACES.get(name) or allowed.PLACES.get(name.rpartition("_")[2])
        _value(value, place or allowed.VALUE, f"{where}/{name}".lstrip("/"))


def _object(found: dict[str, Any], place: Place, where: str) -> None:
    module, name, config = (found.get(key) for key in ("module", "class_name", "config"))
    registered = found.get("registered_name")
    if isinstance(name, str) and name in _DATA:
        _data(config, where)
        return
    own = config.get("name") if isinstance(config, dict) else None
    inside = f"{where}/{own}".lstrip("/") if isinstance(own, str) else where
    if name == "function":
        listed = _in(place.functions, module, config) and registered in (None, config)
        named = f"the function {module}.{config}"
    else:
        listed = _in(place.classes, module, name) and registered in (None, name)
        named = f"{module}.{name}"
    if not listed:
        if registered not in (None, name, config):
            named += f", registered as {registered!r},"
        raise NotAllowedError(f"{named} at {inside or 'the top'}")
    if name == "function":
        return
    if not isinstance(config, dict | None):
        raise NotAllowedError(f"{named} with options that are no table at {where or 'the top'}")
    if module == "keras" and name == "DTypePolicy":
        _value(own, allowed.POLICY, where)
    _options(config or {}, inside)
    _calls(found.get("inbound_nodes", []), inside)
    handled = {*_MARKS, "config", "inbound_nodes"}
    _options({key: value for key, value in found.items() if key not in handled}, inside)


def _in(names: allowed.Classes, module: Any, name: Any) -> bool:
    known = isinstance(module, str) and isinstance(name, str)
    return known and name in names.get(module, ())


def _data(config: Any, where: str) -> None:
    """Tensors, arrays and slices: numbers alone, of a type that holds numbers."""
    if not isinstance(config, dict):
        raise NotAllowedError(f"a constant without a value at {where}")
    _options(config, where)
    if not isinstance(config.get("dtype", "float32"), str):
        raise NotAllowedError(f"a constant of the type {config['dtype']!r} at {where}")


def _calls(nodes: Any, where: str) -> None:
    for node in nodes if isinstance(nodes, list) else [nodes]:
        if not isinstance(node, dict) or not _has_tensor(node):
            raise NotAllowedError(f"a call that depends on no input of the model at {where}")
        _value(node, allowed.VALUE, where)


def _has_tensor(value: Any) -> bool:
    if isinstance(value, dict):
        return value.get("class_name") == "__keras_tensor__" or any(
            map(_has_tensor, value.values())
        )
    return isinstance(value, list) and any(map(_has_tensor, value))
