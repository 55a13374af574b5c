"""YAML whose meaning nobody has to guess.

Values are those of YAML 1.2's core schema: `no` and `on` are words, `010` is ten, `1:30` is text,
`1e-3` is a number. What a configuration does not need is refused: a key given twice, anchors (a
few lines of which can stand for more than any memory holds), tags, several documents.
"""

import json
import re
from typing import Any

import yaml

_CORE = {
    "null": (r"~|null|Null|NULL|", "~nN"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?[0-9]+", "-+0123456789"),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
        r"|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        "-+.0123456789",
    ),
}


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        for kind, used in [
            ("anchors and aliases (& and *)", getattr(event, "anchor", None)),
            ("tags (!)", getattr(event, "tag", None)),
        ]:
            if used is not None:
                raise yaml.composer.ComposerError(
                    None, None, f"{kind} are not taken, found {used!r}", event.start_mark
                )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        seen: set[str] = set()
        for key in keys:
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    None, None, f"a key is {key!r}, expected text", node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r} is given twice", node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


def _text(_: Any, node: Any) -> str:
    try:
        # JSON writes some letters as two halves.
        return node.value.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        raise yaml.constructor.ConstructorError(
            None, None, f"{node.value!a} is no text: it holds half a letter", node.start_mark
        ) from None


for _name, (_pattern, _first) in _CORE.items():
    _tag, _whole = f"tag:yaml.org,2002:{_name}", re.compile(rf"(?:{_pattern})\Z")
    # The empty text has no first letter.
    _Loader.add_implicit_resolver(_tag, _whole, [*_first, *([""] if _name == "null" else [])])
# Not the loader's own, for which what begins with 0 is octal.
_Loader.add_constructor("tag:yaml.org,2002:int", lambda _, node: int(node.value))
_Loader.add_constructor("tag:yaml.org,2002:str", _text)


def load(text: str) -> Any:
    """Returns what a text in YAML holds.

    Raises:
      ValueError: it is no YAML, or holds what is refused here.
    """
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def dump(value: Any) -> str:
    """Returns a line that `load` makes the value of: a text as it is, if that will do, or JSON."""
    if isinstance(value, str) and "\n" not in value:
        try:
            if load(value) == value:
                return value
        except ValueError:
            pass
    # As YAML writes letters: JSON makes two of some, and leaves others that break a line.
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(r"[^ -~]", lambda letter: f"\\U{ord(letter[0]):08x}", text)
