"""SECURITY.md names tests that exist."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.light

ROOT = Path(__file__).parents[1]


def named():
    """The tests that the document names, as (file, function); "" is the whole file."""
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    file = ""
    for words in re.findall(r"`((?:tests/[\w/]+\.py)?(?:::\w+)?)`", text):
        path, _, function = words.partition("::")
        file = path or file  # `::other` is one of the same file
        yield file, function


def test_there_are_some():
    assert len(list(named())) > 25


@pytest.mark.parametrize(("file", "function"), named())
def test_a_test_that_is_named_exists(file, function):
    text = (ROOT / file).read_text(encoding="utf-8")
    assert re.search(rf"^def {function or 'test_'}", text, re.MULTILINE), f"{file}::{function}"
