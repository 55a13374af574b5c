import pytest

from kd_trainer.methods import METHODS, method_class
from pipeline.cli import main


def test_every_method_is_listed_once_under_its_category(capsys):
    assert main(["methods"]) == 0
    lines = capsys.readouterr().out.splitlines()
    category, found = "", {}
    for line in lines:
        if line and not line.startswith(" "):
            category = line
        words = line.split()
        if line.startswith("  ") and words[0] in METHODS:
            assert words[0] not in found
            found[words[0]] = category
    assert found == {name: method_class(name).CATEGORY for name in METHODS}


@pytest.mark.parametrize("name", METHODS)
def test_a_page_tells_the_idea_every_preset_and_every_hyper_parameter(name, capsys):
    assert main(["methods", name]) == 0
    text = capsys.readouterr().out
    cls = method_class(name)
    for preset in cls.PRESETS:
        assert f"`{preset}`" in text
    for key, field in cls.Config.model_fields.items():
        assert f"\n  {key} " in text
        assert field.description, f"{name}.{key} has no description"
    idea, *_ = text.split("\n\n")[1:]
    assert idea.count(":") >= 1


def test_an_unknown_method_is_refused_with_the_nearest_name(capsys):
    assert main(["methods", "fitnets"]) == 2
    assert "Did you mean 'fitnet'" in capsys.readouterr().err
