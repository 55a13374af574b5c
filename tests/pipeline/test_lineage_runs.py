"""The commands `runs` and `diff`, in stores written by hand as runs write them."""

import json

import pytest
from lineage_stores import CODE, CONFIG, ENVIRONMENT, METHOD, Writer

from pipeline import cli

pytestmark = pytest.mark.light


@pytest.fixture
def writer(tmp_path):
    return Writer(tmp_path)


@pytest.fixture
def command(tmp_path, capsys):
    """Returns what a command prints, as a document."""

    def command(*words, status=0):
        assert cli.main([*words, "--json", "--workdir", str(tmp_path)]) == status
        return json.loads(capsys.readouterr().out)

    return command


def whole(writer, run_id, refused_by="", version="", **training):
    run = writer.run(run_id)
    run.record()
    run.train(**training)
    run.judge(refused_by=refused_by)
    run.push(version)
    return run


def test_a_line_a_run_and_how_each_ended(writer, command, tmp_path, capsys):
    first = whole(writer, "1", refused_by="gate.min_accuracy, gate.max_bytes")
    second = writer.run("2")
    second.record()
    second.serve_from_cache(first)
    second.judge()
    second.push("200")
    third = writer.run("3")
    third.record()
    third.serve_from_cache(first)
    third.judge()
    third.push("200")
    fourth = writer.run("4")
    fourth.record()
    fourth.node("Trainer.teacher", state="FAILED")
    fifth = writer.run("5")
    fifth.record()
    fifth.node("Cifar100ExampleGen", state="RUNNING")
    sixth = writer.run("6")
    sixth.record()  # killed between two nodes

    rows = command("runs")
    keys = ("outcome", "version", "refused_by", "node")
    assert {row["id"]: tuple(row[key] for key in keys) for row in rows} == {
        "1": ("refused", None, "gate.min_accuracy, gate.max_bytes", None),
        "2": ("pushed", "200", None, None),
        "3": ("unchanged", "200", None, None),
        "4": ("failed", None, None, "Trainer.teacher"),
        "5": ("unfinished", None, None, "Cifar100ExampleGen"),
        "6": ("unfinished", None, None, "RunRecorder"),
    }
    assert {row["method"] for row in rows} == {"soft_logits (crd)"}
    assert {(row["teacher"], row["student"]) for row in rows} == {("resnet20", "resnet8")}
    assert [row["top1"] for row in rows] == [0.75, 0.75, 0.75, None, None, None]
    assert cli.main(["runs", "--workdir", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    for line, ending in zip(
        lines[1:],
        [
            "refused by gate.min_accuracy, gate.max_bytes",
            "pushed 200",
            "unchanged, in service as 200",
            "failed at Trainer.teacher",
            "running or killed at Cifar100ExampleGen",
            "running or killed at RunRecorder",
        ],
        strict=True,
    ):
        assert ending in line


def test_a_run_that_another_one_overtook(writer, command, tmp_path, capsys):
    run = writer.run("1")
    run.record()
    run.train()
    run.judge()
    run.push(reason="in service is version 18 now")
    (row,) = command("runs")
    assert (row["outcome"], row["version"]) == ("overtaken", None)
    assert cli.main(["runs", "--workdir", str(tmp_path)]) == 0
    assert "overtaken by another push" in capsys.readouterr().out


def test_a_users_network_goes_by_its_file(writer, command):
    run = writer.run("1")
    run.record(config={**CONFIG, "teacher": {"network": None, "from": "/me/big.keras"}})
    [row] = command("runs")
    assert row["teacher"] == "big.keras"


def test_diff_shows_what_changed_and_nothing_else(writer, command, tmp_path, capsys):
    whole(writer, "1", version="100")
    other = writer.run("2")
    method = {**METHOD, "temperature": 4.0}
    other.record(
        config={**CONFIG, "method": {**method, "name": "dkd"}, "seed": 4},
        code={**CODE, "modified": True},
        environment={**ENVIRONMENT, "libraries": {"keras": "3.13.0"}},
    )
    other.train(fingerprint="e" * 64)
    other.judge(refused_by="gate.min_change")
    other.push()
    assert command("diff", "100", "2") == {
        "a": "1",
        "b": "2",
        "changes": {
            "config": {
                "seed": [3, 4],
                "method.name": ["soft_logits", "dkd"],
                "method.temperature": [2.0, 4.0],
            },
            "data": {"data_fingerprint": ["d" * 64, "e" * 64]},
            "code": {"modified": [False, True]},
            "environment": {"libraries.keras": ["3.12.4", "3.13.0"]},
            "results": {"outcome": ["pushed 100", "refused by gate.min_change"]},
        },
        "removed": [],
    }
    assert cli.main(["diff", "1", "2", "--workdir", str(tmp_path)]) == 0
    assert "  method.temperature: 2.0 -> 4.0" in capsys.readouterr().out.splitlines()


def test_diff_says_nothing_where_nothing_changed(writer, tmp_path, capsys):
    whole(writer, "1", version="100")
    assert cli.main(["diff", "1", "1", "--workdir", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert printed.count(": nothing") == 5


def test_diff_with_a_run_that_came_to_nothing(writer, command):
    whole(writer, "1", version="100")
    writer.run("2").record()
    changes = command("diff", "1", "2")["changes"]
    assert changes["results"]["student top-1"] == [0.75, None]
    assert changes["results"]["baseline top-1"] == [0.7, None]
    assert changes["data"]["source"] == ["/data/cifar-100-python.tar.gz", None]
    assert not changes["config"]


def test_diff_of_an_unknown_run(writer, tmp_path, capsys):
    whole(writer, "1", version="100")
    assert cli.main(["diff", "1", "9", "--workdir", str(tmp_path)]) == 2
    assert "'9'" in capsys.readouterr().err
