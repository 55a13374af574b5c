"""What a workdir goes through in weeks: other methods, bounds, code, data, and what fails."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from whole_runs import TRAINING

from components.run_recorder import origin
from kd_trainer.labels import FINE_LABELS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
# Bounds of every kind, which any student passes.
PASSED = {
    "gate__min_top5": 0,
    "gate__min_relative_change": -1,
    "gate__max_superclass_drop": 1,
    "gate__min_teacher_share": 0,
    "gate__max_parameters": 10**9,
    "gate__max_bytes": 10**9,
    "gate__max_latency_ratio": 10**6,
    "gate__min_agreement": 0,
    "gate__max_divergence": 100,
    "gate__max_calibration_error": 1,
}


def refused(decision):
    return {bound["key"] for bound in decision["bounds"] if not bound["passed"]}


def test_1_a_first_run_is_compared_with_from_scratch_and_pushed(workdir):
    ran = workdir.run(**PASSED)
    assert ran.status == 0, ran.printed
    assert ran.executed >= {"Cifar100ExampleGen", "StatisticsGen", *TRAINING, "Pusher"}
    decision = workdir.read("explain")
    assert decision["blessed"]
    assert (decision["baseline"], decision["champion_version"]) == ("from_scratch", "")
    assert {bound["key"].replace(".", "__") for bound in decision["bounds"]} >= set(PASSED)
    assert len(workdir.versions()) == 1


def test_2_the_model_cards_snippet_answers(workdir, tmp_path):
    import tensorflow as tf

    (version,) = workdir.versions()
    copy = shutil.copytree(version, tmp_path / "copy")
    image = tf.random.stateless_uniform((48, 64, 3), (0, 0), 0, 256, tf.int32)
    (copy / "image.png").write_bytes(tf.io.encode_png(tf.cast(image, tf.uint8)).numpy())
    (snippet,) = re.findall(
        r"```python\n(.*?)```", (copy / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    result = subprocess.run(
        [sys.executable, "-c", snippet], check=True, cwd=copy, timeout=120, capture_output=True
    )
    name, probability = result.stdout.decode().split()
    assert name in FINE_LABELS
    assert 0 < float(probability) <= 1


def test_3_unchanged_nothing_but_the_gate_is_looked_at_again(workdir):
    ran = workdir.run(**PASSED)
    assert ran.status == 0
    assert {"RunRecorder", "Cifar100ExampleGen", "StatisticsGen", *TRAINING} <= ran.cached
    assert "no other model has been pushed yet" in ran.printed  # it is no champion for itself
    first, second = workdir.read("runs")
    assert (second["outcome"], second["version"]) == ("unchanged", first["version"])
    changes = workdir.read("diff", first["id"], second["id"])["changes"]
    assert set(changes.pop("results")) == {"outcome"}
    assert not any(changes.values())
    ran = workdir.run(**PASSED)
    assert ran.status == 0
    assert {"Evaluator", "ModelProfiler", "StudentGate", *TRAINING} <= ran.cached


def test_4_a_bound_that_is_read_off_answers_refuses_alone(workdir):
    ran = workdir.run(**{**PASSED, "gate__min_agreement": 1})
    assert ran.status == 3, ran.printed
    assert "Refused by gate.min_agreement: nothing was pushed." in ran.printed
    decision = workdir.read("explain")
    assert refused(decision) == {"gate.min_agreement"}
    assert not decision["blessed"]
    assert len(workdir.versions()) == 1


def test_5_another_revision_trains_nothing(workdir, monkeypatch, tmp_path):
    trained = workdir.read("lineage")["student"]["run"]
    with monkeypatch.context() as patch:
        patch.setattr(origin, "_ROOT", tmp_path)  # is no checkout
        patch.setenv(origin.REVISION_VARIABLE, "b" * 40)
        ran = workdir.run(**PASSED)
    assert "RunRecorder" not in ran.cached
    assert ran.cached >= TRAINING
    *_, third, fourth = workdir.read("runs")
    changes = workdir.read("diff", third["id"], fourth["id"])["changes"]
    assert changes["code"]["revision"][1] == "b" * 40
    # What is in service is what the first run trained, not what this one found in order.
    assert workdir.read("lineage")["student"]["run"] == trained


def test_6_another_student_is_compared_with_the_champion(workdir):
    (champion,) = workdir.versions()
    ran = workdir.run(method__name="fitnet", gate__min_change=1)
    assert ran.status == 3, ran.printed
    assert {"Trainer.teacher", "Trainer.baseline", "Cifar100ExampleGen"} <= ran.cached
    assert "DistillTrainer" in ran.executed
    assert "hint 1/1" in ran.printed  # FitNet's first stage
    decision = workdir.read("explain")
    assert (decision["baseline"], decision["champion_version"]) == ("champion", champion.name)
    assert refused(decision) == {"gate.min_change"}
    (row,) = [line for line in ran.printed.splitlines() if line.startswith("│ baseline")]
    assert f"version {champion.name}" in row
    assert "83,892" in row  # counted in what is in service
    assert workdir.versions() == [champion]


def test_7_rebaseline_pushes_over_the_champion_and_says_so(workdir):
    (champion,) = workdir.versions()
    strict = {"gate__min_change": 1, "gate__max_superclass_drop": -1}
    ran = workdir.run("--rebaseline", method__name="fitnet", **strict)
    assert ran.status == 0, ran.printed
    assert f"Rebaselined: version {champion.name} is passed over" in ran.printed
    decision = workdir.read("explain")
    assert decision["rebaseline"]
    assert decision["champion_version"] == champion.name
    assert not {"gate.min_change", "gate.max_superclass_drop"} & {
        bound["key"] for bound in decision["bounds"]
    }
    assert len(workdir.versions()) == 2


def test_8_lineage_and_diff_name_both_students(workdir):
    old, new = (version.name for version in workdir.versions())
    rows = workdir.read("runs")
    assert rows[-1]["method"].startswith("fitnet")
    document = workdir.read("lineage")
    assert document["version"] == new
    assert document["student"]["method"]["name"] == "fitnet"
    assert document["student"]["run"] == rows[-2]["id"]
    assert document["teacher"]["run"] == rows[0]["id"]
    changes = workdir.read("diff", old, new)["changes"]
    assert changes["config"]["method.name"] == ["soft_logits", "fitnet"]
    temperature = document["student"]["method"]["temperature"]
    assert changes["config"]["method.temperature"] == [2.0, temperature]
    assert not changes["data"]
    assert changes["results"]["outcome"] == [f"pushed {old}", f"pushed {new}"]
    answer = workdir.command("lineage", old)
    assert answer.status == 0
    assert "soft_logits (crd)" in answer.printed


def test_9_budgets_alone_are_a_gate(workdir):
    before = workdir.versions()
    unset = {"gate__min_accuracy": "null", "gate__min_change": "null"}
    ran = workdir.run(method__name="fitnet", gate__max_parameters=1000, **unset)
    assert ran.status == 3, ran.printed
    assert refused(workdir.read("explain")) == {"gate.max_parameters"}
    assert workdir.versions() == before
    ran = workdir.run(**unset)
    assert ran.status == 2
    assert "there is no bound" in ran.printed


def test_a_withdrawn_student_is_not_pushed_again(workdir):
    before = workdir.versions()
    assert workdir.command("rollback", "--reason", "a test").status == 0
    assert workdir.versions() == before[:-1]
    assert workdir.run(method__name="fitnet").status == 3
    assert workdir.versions() == before[:-1]


def test_b_edited_code_is_not_served_from_the_cache(workdir, tmp_path, monkeypatch):
    from pipeline import fingerprint

    for package in ("components", "kd_trainer"):
        shutil.copytree(ROOT / package, tmp_path / package)
    monkeypatch.setattr(fingerprint, "_ROOT", tmp_path)
    with open(
        tmp_path / "kd_trainer" / "methods" / "soft_logits.py", "a", encoding="utf-8"
    ) as file:
        file.write("\n# edited\n")
    ran = workdir.run()
    assert "DistillTrainer" in ran.executed
    assert {"Trainer.teacher", "Trainer.baseline"} <= ran.cached


def test_c_edited_schema_under_the_same_path(workdir, tmp_path):
    schema = tmp_path / "mine.pbtxt"
    shutil.copyfile(ROOT / "schemas" / "cifar100.pbtxt", schema)
    assert workdir.run(data__schema_path=schema).cached >= TRAINING  # the same content
    schema.write_text(
        schema.read_text(encoding="utf-8").replace("max: 19", "max: 12"), encoding="utf-8"
    )
    ran = workdir.run(data__schema_path=schema)
    assert ran.status == 1
    assert "split 'train', feature 'coarse_label': INT_TYPE_BIG_INT" in ran.printed
    assert not {*TRAINING, "Evaluator", "Pusher"} & (ran.executed | ran.cached)


def test_d_failing_training_says_why_and_leaves_no_model(workdir):
    ran = workdir.run(recipe__learning_rate=1e20, recipe__warmup_epochs=0)
    assert ran.status == 1
    assert "not finite" in ran.printed
    assert not list((workdir.path / "pipelines").rglob("*.partial"))
    assert str(workdir.path / "logs") in ran.printed.replace("\n", "")
    first, *_, row = workdir.read("runs")
    assert row["outcome"] == "failed"
    assert row["node"] in TRAINING
    assert row["top1"] is None
    assert f"failed at {row['node']}" in workdir.command("runs").printed
    changes = workdir.read("diff", first["id"], row["id"])["changes"]
    assert changes["config"]["recipe.learning_rate"] == [0.1, 1e20]


def test_e_all_images_may_be_trained_on(workdir):
    ran = workdir.run(data__eval_fraction=0)
    assert ran.status == 0, ran.printed
    assert "(300 train, 300 test)" in ran.printed
    assert "val_accuracy" not in ran.printed


def test_f_data_given_as_a_path(workdir, official_archive):
    ran = workdir.run("--data", str(official_archive), data__limit=500)
    assert ran.status == 0, ran.printed
    counts = re.search(r"\((\d+) train, (\d+) eval, (\d+) test\)", ran.printed)
    train, held_out, test = map(int, counts.groups())
    assert (train + held_out, test) == (500, 500)
    assert str(official_archive) in ran.printed
