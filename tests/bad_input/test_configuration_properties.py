"""The configuration on what Hypothesis makes up; findings stay as examples."""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, get_args

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from kd_trainer import strict_yaml
from kd_trainer.errors import ConfigError
from pipeline import config

quickly = settings(max_examples=300, deadline=None, derandomize=True, database=None)


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        key = prefix + (field.alias or name)
        yield key
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _keys(kind, f"{key}.")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)  # fmt: skip
_WORDS = st.sampled_from(
    [
        *("no", "~", ".nan", "-.inf", "1e400", "0x1F", "1_000", "2026-01-01", "-1", "1" * 400),
        *("!!binary aGk=", "&a [*a]", "fitnet", "rkd", "{name: fitnet}", "[fitnet, rkd]"),
        *("resnet8", "best", "a.keras"),
    ]
)
_KEYS = st.sampled_from([*_keys(config.RunConfig), "method.name", "method.temperature", "a.b"])
_VALUES = _WORDS | st.text(max_size=20) | _JSON.map(json.dumps)
_OVERRIDES = st.lists(st.builds("{}={}".format, _KEYS | st.text(max_size=8), _VALUES), max_size=3)


@pytest.mark.slow
@quickly
@given(_OVERRIDES)
@example(["method={name: [fitnet]}"])
@example(["method.name=~"])
@example(["list[]=1"])
@example(["compare.methods=[[]]"])
@example(['compare.methods="\\ud800\\udc00"'])
@example(['compare.methods="\\udc00"'])
@example(["method.preset=[crd]"])
@example(["student.network=[resnet8]"])
@example(["teacher.cache_gigabytes=1e308"])
@example(["beam.options=[runner=\ud800]"])
@example(["method={name: fitnet, weight: 1}"])
def test_any_overrides(overrides: list[str]) -> None:
    """They are refused in words, or make a configuration that can be read in again."""
    try:
        run = config.load("quick", overrides)
    except ConfigError:
        return
    assert config.validate(json.loads(run.model_dump_json())) == run


@quickly
@given(st.text())
@example("{<<: {a: 1}}")
@example("- " * 3000)
def test_any_text_is_a_value_or_refused(text: str) -> None:
    with suppress(ValueError):
        strict_yaml.load(text)


@quickly
@given(_JSON)
@example("1e3")
@example("a" * 100 + " b" * 100)
@example("no")
@example("\x85")
@example(["\U0001f600"])
def test_what_is_dumped_is_loaded_again(value: Any) -> None:
    line = strict_yaml.dump(value)
    assert "\n" not in line
    assert strict_yaml.load(line) == value
