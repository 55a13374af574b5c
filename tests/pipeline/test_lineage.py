"""The lineage of versions, in stores written by hand as runs write them."""

import json
import os
import subprocess
import sys

import pytest
from lineage_stores import CODE, METHOD, RECIPE, Writer

from kd_trainer.errors import ConfigError
from pipeline import cli, lineage, pushes, store
from pipeline.history import History

pytestmark = pytest.mark.light


@pytest.fixture
def writer(tmp_path):
    return Writer(tmp_path)


def pushed(writer, run_id="1", version="100", pipeline="quick", **properties):
    run = writer.run(run_id, pipeline)
    run.record()
    run.train()
    run.judge()
    run.push(version, **properties)
    return run


def traced(writer, version=None, name=None):
    history = History(store.read(writer.connection))
    return lineage.trace(history, pushes.find(history, version, name))


def test_a_version_leads_back_to_everything(writer):
    run = pushed(writer)
    document = traced(writer)
    assert document["version"] == "100"
    push = document["push"]
    assert push["destination"] == "/quick/100"
    assert (push["rebaselined_over"], push["withdrawn"]) == (None, False)
    student = document["student"]
    assert student["method"] == METHOD
    assert (student["network"], student["recipe"], student["seed"]) == ("resnet8", RECIPE, 3)
    assert student["summary"]["test"]["student"]["top1"] == 0.75
    teacher = document["teacher"]
    assert teacher["artifact"] == run.outputs["Trainer.teacher"]["model"].id
    assert (teacher["origin"], teacher["network"]) == ("trained", "resnet20")
    assert document["baseline"]["from_scratch"]["network"] == "resnet8"
    assert document["examples"]["archive_md5"] == "m" * 32
    assert document["examples"]["counts"] == {"train": 269, "eval": 31, "test": 300}
    assert document["schema"]["file"] == "/s/schema.pbtxt"
    gate = document["gate"]
    assert gate["artifact"] == run.outputs["StudentGate"]["blessing"].id
    assert gate["decision"]["bounds"][0]["key"] == "gate.min_accuracy"
    assert [each["artifact"] for each in gate["evaluations"]] == [
        run.outputs["Evaluator"]["evaluation"].id
    ]
    assert document["runs"]["1"]["code"] == CODE
    assert document["runs"]["1"]["command"] == ["tfx-distill", "run"]


def test_the_run_that_trained_is_named_and_not_the_one_that_the_cache_served(writer):
    first = writer.run("1")
    first.record()
    first.train()
    first.judge(refused_by="gate.min_accuracy")
    first.push()
    second = writer.run("2")
    second.record(code={**CODE, "revision": "b" * 40})
    second.serve_from_cache(first)
    second.judge()
    second.push("200")
    document = traced(writer)
    assert document["push"]["run"] == "2"
    assert document["student"]["run"] == document["teacher"]["run"] == "1"
    assert document["baseline"]["from_scratch"]["run"] == document["examples"]["run"] == "1"
    assert document["runs"]["1"]["code"]["revision"] == "a" * 40
    assert document["runs"]["2"]["code"]["revision"] == "b" * 40


def test_a_record_that_the_cache_served_is_read(writer):
    first = pushed(writer)
    second = writer.run("2")
    second.node("RunRecorder", outputs=first.outputs["RunRecorder"], state="CACHED")
    second.train()
    second.judge()
    second.push("200")
    assert traced(writer, "200")["runs"]["2"]["code"] == CODE


def test_an_imported_teacher_and_a_champion(writer):
    run = writer.run("1")
    imported = {"file": "/me/big.keras", "sha256": "c" * 64, "taps": '{"stage1": "conv"}'}
    run.train(teacher=imported)
    run.judge(champion="90")
    run.push("100", rebaselined_over="90", withdrawn=1, withdrawn_reason="it sees cats")
    document = traced(writer)
    teacher = document["teacher"]
    assert {key: teacher[key] for key in imported} == imported
    assert teacher["origin"] == "imported"
    assert document["baseline"]["champion_version"] == "90"
    assert document["push"]["rebaselined_over"] == "90"
    assert document["push"]["withdrawn"] is True
    assert document["push"]["withdrawn_reason"] == "it sees cats"
    # A run from before there were records.
    assert document["runs"]["1"]["code"] is None


def test_a_version_found_in_service_again_is_the_first_ones(writer):
    first = pushed(writer)
    again = writer.run("2")
    again.serve_from_cache(first)
    again.judge()
    again.push("100")
    assert traced(writer, "100")["push"]["run"] == "1"


def test_the_newest_is_the_default_and_names_choose(writer):
    pushed(writer, "1", "100")
    pushed(writer, "2", "200", pipeline="other")
    assert traced(writer)["version"] == "200"
    assert traced(writer, name="quick")["version"] == "100"


def test_one_number_in_two_pipelines_needs_a_name(writer):
    pushed(writer, "1", "100")
    pushed(writer, "2", "100", pipeline="other")
    with pytest.raises(ConfigError, match="--name: other, quick"):
        traced(writer, "100")
    assert traced(writer, "100", "other")["push"]["run"] == "2"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["7"], ["'7'", "200, 100"]),
        (["100", "--name", "other"], ["'100'", "200"]),
        (["--name", "none"], ["'none'", "nothing yet"]),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(writer, tmp_path, capsys, arguments, expected):
    pushed(writer, "1", "100")
    pushed(writer, "2", "200", pipeline="other")
    assert cli.main(["lineage", *arguments, "--workdir", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert all(part in told for part in expected)


def test_the_tree_says_it_all(writer, tmp_path, capsys):
    pushed(writer, rebaselined_over="90", withdrawn=1, withdrawn_reason="it sees [red]")
    assert cli.main(["lineage", "--workdir", str(tmp_path)]) == 0
    tree = capsys.readouterr().out
    for part in (
        "version 100",
        "rebaselined over version 90",
        "withdrawn: it sees [red]",
        "soft_logits (crd)",
        "temperature 2.0",
        "resnet20",
        "resnet8 from scratch",
        "gate.min_accuracy, student: 0.75 ≥ 0.6, pass",
        "m" * 32,
        "269 train, 31 eval, 300 test",
        "a" * 40,
        "tfx-distill run",
        "a processor",
    ):
        assert part in tree


def test_a_lost_file_is_no_failure(writer, tmp_path, capsys):
    run = pushed(writer)
    for node, key, file in [
        ("DistillTrainer", "summary", "summary.json"),
        ("StudentGate", "decision", "decision.json"),
    ]:
        os.remove(f"{run.outputs[node][key].uri}/{file}")
    document = traced(writer)
    assert document["student"]["summary"] is None
    assert document["gate"]["decision"] is None
    assert cli.main(["lineage", "--workdir", str(tmp_path)]) == 0


def test_it_is_read_without_tensorflow(writer, tmp_path):
    pushed(writer)
    code = f"""
import sys
from pipeline import cli
for command in (["lineage", "--json"], ["lineage"], ["runs"], ["diff", "1", "100"]):
    assert cli.main([*command, "--workdir", {str(tmp_path)!r}]) == 0
print(sorted({{"tensorflow", "tfx", "keras", "apache_beam"}} & set(sys.modules)))
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, encoding="utf-8"
    )
    assert ran.stdout.splitlines()[-1] == "[]", ran.stderr


def test_the_document_is_json(writer, tmp_path, capsys):
    pushed(writer)
    assert cli.main(["lineage", "--json", "--workdir", str(tmp_path)]) == 0
    assert set(json.loads(capsys.readouterr().out)) == {
        "version",
        "pipeline",
        "push",
        "gate",
        "student",
        "teacher",
        "baseline",
        "examples",
        "schema",
        "runs",
    }
