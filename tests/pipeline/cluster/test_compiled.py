"""What is wrong with a compiled pipeline, or with what it is given, is told without a server."""

import pytest
import yaml
from compiled_quick import GOLDEN

from pipeline.cli import main
from pipeline.cluster import compiled, trigger


def submit(spec, *parameters):
    arguments = [word for parameter in parameters for word in ("--parameter", parameter)]
    return main(
        ["kubeflow", "submit", "--host", "http://127.0.0.1:9", "--spec", str(spec), *arguments]
    )


def test_parameters_have_the_types_of_the_specification(spec):
    given = {
        "source": "12",  # a text, whatever it looks like
        "limit": 5,
        "min_accuracy": 1e-3,
        "download": True,
        "taps": ["stage2"],
        "recipe": {"epochs": 3},
    }
    assignments = [
        "source=12",
        "limit=5",
        "min_accuracy=1e-3",
        "download=true",
        'taps=["stage2"]',
        'recipe={"epochs": 3}',
    ]
    assert compiled.read(spec).arguments(assignments) == given


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        ("limit", "expected KEY=VALUE"),
        ("limti=5", "Did you mean 'limit'? Known: download, limit"),
        ("limit=5.0", "found '5.0', expected a NUMBER_INTEGER"),
        ("limit=true", "expected a NUMBER_INTEGER"),
        ("min_accuracy=NaN", "expected a NUMBER_DOUBLE"),
        ("min_accuracy=high", "expected a NUMBER_DOUBLE"),
        ("download=yes", "expected a BOOLEAN"),
        ('taps={"a": 1}', "expected a LIST"),
        ("recipe=[]", "expected a STRUCT"),
    ],
)
def test_wrong_parameter(spec, capsys, parameter, message):
    assert submit(spec, "source=x", parameter) == 2
    assert message in capsys.readouterr().err


def test_missing_parameter(spec, capsys):
    assert submit(spec) == 2
    assert "needs a value for source: give --parameter source=VALUE" in capsys.readouterr().err


def test_pipeline_without_parameters(spec, capsys):
    text = spec.read_text(encoding="utf-8")
    start, end = text.index("  inputDefinitions"), text.index("schemaVersion")
    spec.write_text(text[:start] + text[end:], encoding="utf-8")
    assert compiled.read(spec).arguments([]) == {}
    assert submit(spec, "limit=5") == 2
    assert "no parameter 'limit'. It has none." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.yaml", None, "No such file"),
        ("spec.json", b"{}", "ends in .yaml"),
        ("spec.yaml", b"a: [", "is not YAML"),
        ("spec.yaml", b"\xff\xfe\xff", "is not YAML"),
        ("spec.yaml", b"", "is not a compiled pipeline"),
        ("spec.yaml", b"data: {limit: 3}", "is not a compiled pipeline"),
        ("spec.yaml", b"- 1", "is not a compiled pipeline"),
    ],
)
def test_not_a_pipeline(tmp_path, capsys, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    assert submit(tmp_path / name) == 2
    error = capsys.readouterr().err
    assert message in error
    assert name in error


def test_schema_that_kubeflow_does_not_take(spec, capsys):
    spec.write_text(spec.read_text(encoding="utf-8").replace("2.1.0", "2.0.0"), encoding="utf-8")
    assert submit(spec) == 2
    assert "'2.0.0'" in capsys.readouterr().err


@pytest.mark.parametrize("when", [("--cron", "0 2 * *"), ("--cron", ""), ("--every", "1w")])
def test_wrong_time(spec, capsys, when):
    arguments = ["kubeflow", "schedule", "--host", "http://127.0.0.1:9", "--spec", str(spec)]
    assert main([*arguments, "--name", "a", "--parameter", "source=x", *when]) == 2
    assert f"{when[0]}: found {when[1]!r}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ("cron 0 2 * * 1", trigger.cron("0 2 * * 1")),
        ("cron 30 0 2 * * 1", {"cron_schedule": {"cron": "30 0 2 * * 1"}}),
        ("every 7d", trigger.every("168h")),
        ("every 90m", trigger.every("90m")),
        ("every 61s", {"cron_schedule": None, "periodic_schedule": {"interval_second": "61"}}),
        ("", {}),
    ],
)
def test_trigger_as_text(expected, found):
    assert trigger.text(found) == expected


def test_no_task_needs_a_shell():
    spec, _ = yaml.safe_load_all(GOLDEN.read_text(encoding="utf-8"))
    executors = spec["deploymentSpec"]["executors"].values()
    assert len(executors) > 10
    for executor in executors:
        assert executor["container"]["command"][:2] == ["python", "-m"]
