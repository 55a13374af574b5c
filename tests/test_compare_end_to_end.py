"""A comparison on real images whose best student goes through the gate."""

import csv
from pathlib import Path

import pytest
from ml_metadata import metadata_store
from small_runs import SMALL, sets

from components import evaluation
from components.artifacts import ComparisonTable
from components.student_gate.rules import TOP1
from pipeline import lineage, pushes, store
from pipeline.history import History

METHODS = ("soft_logits", "rkd")


def compare(workdir):
    methods = f"--methods={','.join(METHODS)}"
    return workdir.command("compare", methods, "--trials=1", "--push-best", *sets(SMALL))


@pytest.fixture
def history(workdir):
    return History(metadata_store.MetadataStore(store.sqlite(workdir.path / store.FILE_NAME)))


def test_1_the_best_is_pushed(workdir):
    compared = compare(workdir)
    assert compared.status == 0, compared.printed
    assert {"Trainer.teacher", "ClassroomTrainer.0", "Leaderboard"} <= compared.executed
    assert {"BestStudent", "StudentGate", "Pusher"} <= compared.executed
    assert not [node for node in compared.executed if node.startswith("Trainer.teacher.")]
    (version,) = workdir.versions()
    assert (version / "saved_model.pb").exists()
    assert "Blessed" in compared.printed
    assert str(version) in compared.printed.replace("\n", "")


def test_2_the_table_is_what_the_evaluators_say(history):
    (run,) = history.runs
    outputs = {node.id: node.outputs for node in run.nodes}
    folder = Path(outputs["Leaderboard"]["table"].uri)
    with open(folder / ComparisonTable.CSV_NAME, encoding="utf-8", newline="") as lines:
        table = {line["row"]: line for line in csv.DictReader(lines)}
    assert set(table) == {"teacher", "baseline", *METHODS}
    figure = (folder / ComparisonTable.CURVES_NAME).read_text(encoding="utf-8")
    page = (folder / ComparisonTable.PAGE_NAME).read_text(encoding="utf-8")
    for row in METHODS:
        uri = outputs[f"TrialEvaluator.{row}_0"]["evaluation"].uri
        metrics = evaluation.metrics(uri, "candidate")
        assert float(table[row]["accuracy"]) == pytest.approx(metrics[()][TOP1])
        assert table[row]["trials"] == "1"
        assert row in figure
        assert row in page


def test_3_lineage_and_card_are_of_the_best(workdir, history):
    (version,) = workdir.versions()
    (run,) = history.runs
    best = run.output(pushes.COMPARISON).properties["best"]
    student = lineage.trace(history, pushes.find(history, None))["student"]
    assert student["method"]["name"] == best
    card = (version / "README.md").read_text(encoding="utf-8")
    assert f"was distilled into it by {best} " in card
    assert f"| seed | {student['seed']} |" in card
    assert str(pushes.ending(history, run)) == f"pushed {version.name}"
