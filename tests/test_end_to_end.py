"""One workdir as a user would fill it: a run that is killed, one refused, and one let through.

What each leaves is read by the tests between them.
"""

import hashlib
import json
import platform
import subprocess
import sys
from pathlib import Path

import chromium
import pytest
from small_runs import SMALL, sets
from whole_runs import TRAINING

from components.cifar100_example_gen.sample import SAMPLE
from pipeline import cli

ROOT = Path(__file__).parents[1]
UNTOUCHED = {"Cifar100ExampleGen", "ImportSchemaGen", "StatisticsGen", *TRAINING}
EPOCHS = {"recipe__epochs": 3}


def test_1_a_killed_run_resumes_and_is_refused_with_numbers(workdir):
    settings = {**EPOCHS, "gate__min_accuracy": 1}
    command = [sys.executable, "-m", "pipeline.cli", "run", "--workdir", workdir.path]
    with subprocess.Popen(
        [*command, *sets(SMALL, **settings)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as killed:
        assert any("task 2/3" in line for line in killed.stdout)
        killed.kill()
    ran = workdir.run(**settings)
    assert ran.status == 3, ran.printed
    # What was done is not done again, and no state is left where training has ended.
    assert {"Cifar100ExampleGen", "StatisticsGen"} <= ran.cached
    assert "task 1/3" not in ran.printed
    assert "task 3/3" in ran.printed or "Trainer.baseline" in ran.cached
    assert not list((workdir.path / "checkpoints").rglob("*.npz"))
    # The library's noise is in the log alone.
    assert len(ran.printed.splitlines()) < 60
    assert any(
        "learning_rate: 0.1" in log.read_text(encoding="utf-8")
        for log in (workdir.path / "logs").iterdir()
    )
    assert ran.executed >= {"DistillTrainer", "StudentGate"}
    assert "must be at least 100.00%: refuse" in ran.printed
    assert ran.printed.count(": refuse") == 1
    assert "Refused by gate.min_accuracy: nothing was pushed." in ran.printed
    assert not workdir.versions()


def test_2_the_refusal_is_read(workdir):
    *_, row = workdir.read("runs")
    assert row["outcome"] == "refused"
    assert (row["teacher"], row["student"]) == ("resnet8", "resnet8")
    assert row["method"] == "soft_logits (crd)"
    assert 0 <= row["top1"] < 1
    assert row["seconds"] > 0
    decision = workdir.read("explain")
    assert not decision["blessed"]
    refused = {bound["key"] for bound in decision["bounds"] if not bound["passed"]}
    assert refused == {"gate.min_accuracy"}


def test_3_what_was_trained_is_pushed_from_the_cache(workdir):
    ran = workdir.run(**EPOCHS)
    assert ran.status == 0, ran.printed
    assert ran.cached >= UNTOUCHED
    assert "Pusher" in ran.executed
    (version,) = workdir.versions()
    assert str(version) in ran.printed.replace("\n", "")
    assert "no other model has been pushed yet" in ran.printed


def test_4_the_pushed_model_answers_with_tensorflow_alone(workdir):
    (version,) = workdir.versions()
    code = """
import sys, tensorflow as tf, numpy as np
model = tf.saved_model.load(sys.argv[1])
images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
def example(image):
    value = tf.train.Feature(bytes_list=tf.train.BytesList(value=[image.tobytes()]))
    features = tf.train.Features(feature={"image": value})
    return tf.train.Example(features=features).SerializeToString()
one = model.signatures["serving_default"](examples=tf.constant([example(i) for i in images]))
two = model.signatures["images"](images=tf.constant(images))
assert set(one) == set(two) == {"logits", "probabilities", "label", "class_name"}, set(one)
assert one["class_name"].numpy().tolist() == two["class_name"].numpy().tolist()
for name in ("logits", "probabilities", "label"):
    np.testing.assert_allclose(one[name], two[name], rtol=1e-5, atol=1e-6)
assert one["logits"].shape == (3, 100) and one["label"].dtype == tf.int64
np.testing.assert_allclose(tf.reduce_sum(one["probabilities"], 1), 1, rtol=1e-5)
assert not [name for name in sys.modules if name.split(".")[0] in ("kd_trainer", "pipeline", "tfx")]
"""
    subprocess.run([sys.executable, "-c", code, version], check=True, cwd="/", timeout=120)


def test_5_ml_metadata_holds_the_chain_from_the_pushed_model(workdir):
    from ml_metadata import metadata_store

    from pipeline.store import sqlite

    store = metadata_store.MetadataStore(sqlite(workdir.path / "metadata.sqlite"))
    pushed = max(store.get_artifacts_by_type("PushedModel"), key=lambda artifact: artifact.id)
    assert pushed.custom_properties["pushed"].int_value == 1

    waiting, producers, types = [pushed.id], {}, set()
    while waiting:
        artifact = waiting.pop()
        events = store.get_events_by_artifact_ids([artifact])
        for execution in store.get_executions_by_id(
            [event.execution_id for event in events if event.type == event.OUTPUT]
        ):
            name = execution.type.rsplit(".", 1)[-1]
            producers.setdefault(name, []).append(execution)
            inputs = store.get_events_by_execution_ids([execution.id])
            waiting += [event.artifact_id for event in inputs if event.type == event.INPUT]
        types |= {item.type for item in store.get_artifacts_by_id([artifact])}
    assert {"Model", "Examples", "Schema", "ModelBlessing"} <= types
    distillation = producers["DistillTrainer"][0]
    method = json.loads(distillation.custom_properties["method"].string_value)
    assert method["name"] == "soft_logits"
    assert method["temperature"] == 2
    assert {"Trainer", "Cifar100ExampleGen", "GateEvaluator"} <= set(producers)
    example_gen = producers["Cifar100ExampleGen"][0]
    assert len(example_gen.custom_properties["data_fingerprint"].string_value) == 64


def test_6_lineage_names_the_run_that_trained_what_a_cached_run_pushed(workdir):
    killed, first, second = workdir.read("runs")
    (version,) = workdir.versions()
    assert (second["outcome"], second["version"]) == ("pushed", version.name)

    document = workdir.read("lineage")
    assert document["version"] == version.name
    assert document["push"]["run"] == second["id"]
    assert document["student"]["run"] == first["id"]
    # The teacher and the baseline have no order: either may have been trained before the kill.
    trained = {document["teacher"]["run"], document["baseline"]["from_scratch"]["run"]}
    assert first["id"] in trained <= {killed["id"], first["id"]}
    for made in (document["examples"], document["schema"]):
        assert made["run"] == killed["id"]
    commands = {name: record["command"] for name, record in document["runs"].items()}
    assert "gate.min_accuracy=1" in commands[first["id"]]
    assert "gate.min_accuracy=0" in commands[second["id"]]

    assert document["student"]["method"] == {
        "name": "soft_logits",
        "preset": "crd",
        "temperature": 2.0,
        "task_weight": 0.1,
        "distillation_weight": 3.6,
    }
    assert document["student"]["recipe"]["epochs"] == 3
    examples = document["examples"]
    assert examples["archive_md5"] == hashlib.md5(SAMPLE.read_bytes()).hexdigest()
    assert examples["source"] == str(SAMPLE)
    assert sum(examples["counts"].values()) == 600
    assert Path(document["teacher"]["uri"], "Format-Serving", "saved_model.pb").exists()
    assert document["gate"]["blessed"]
    assert len(document["gate"]["evaluations"]) >= 1
    record = document["runs"][first["id"]]
    assert len(record["code"]["fingerprint"]) == 64
    if (ROOT / ".git").exists():
        head = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
        found = subprocess.run(
            head, capture_output=True, text=True, check=True, encoding="utf-8"
        ).stdout.strip()
        assert record["code"]["revision"] == found
    assert record["environment"]["python"] == platform.python_version()


def test_7_an_unknown_version_is_answered_with_the_known_ones(workdir):
    answer = workdir.command("lineage", "1")
    assert answer.status == 2
    for version in workdir.versions():
        assert version.name in answer.printed


@pytest.mark.skipif(chromium.PROGRAM is None, reason="no chromium: apt install chromium")
def test_8_the_version_says_the_same_where_there_is_no_ml_metadata(workdir, capfd):
    serving = str(workdir.path / "serving" / "quick")

    def there(command):
        assert cli.main([command, "--json", "--directory", serving]) == 0
        return json.loads(capfd.readouterr().out)

    known, told = workdir.read("lineage"), there("lineage")
    [(run_id, run)] = told["runs"].items()
    assert run_id == known["push"]["run"] == told["push"]["run"]
    for key in ("command", "code", "environment"):
        assert run[key] == known["runs"][run_id][key]
    for role in ("student", "teacher", "baseline", "examples", "gate", "push"):
        for key, value in told[role].items():
            # A push ends before its artifact is recorded.
            if value not in (None, [], False) and key not in ("time", "from_scratch"):
                assert value == known[role][key], (role, key)
    scratch = told["baseline"]["from_scratch"]
    for key in ("network", "recipe", "seed"):
        assert scratch[key] == known["baseline"]["from_scratch"][key]
    decision = there("explain")
    assert decision.pop("version") == told["version"]
    assert decision == workdir.read("explain")
    report = Path(workdir.command("report").printed.strip())
    assert cli.main(["report", "--directory", serving]) == 0
    assert Path(capfd.readouterr().out.strip()).read_bytes() == report.read_bytes()


def test_9_chromium_shows_the_report(workdir):
    report = Path(workdir.command("report").printed.strip())
    with chromium.tab() as tab:
        for width in (1280, 390):
            tab.open(report, width, "light")
            methods = {event["method"] for event in tab.events}
            trouble = {"Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"}
            assert not methods & trouble, tab.events
            assert tab.evaluate("document.documentElement.scrollWidth") <= width
            assert tab.evaluate('document.querySelectorAll("svg .node rect").length') >= 9
            images = tab.evaluate("[...document.images].map(i => i.complete && i.naturalWidth > 0)")
            assert len(images) == report.read_text(encoding="utf-8").count("<img") > 0
            assert all(images)


def test_dry_run_checks_and_prints_and_writes_nothing(tmp_path, capfd):
    target = tmp_path / "new"
    assert cli.main(["run", "--dry-run", "--workdir", str(target)]) == 0
    printed = capfd.readouterr().out
    assert "Trainer.teacher" in printed
    assert "temperature: 2.0" in printed
    assert not target.exists()
    assert cli.main(["run", "--dry-run", "--preset", "qiuck"]) == 2
    assert "'quick'" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"recipe__batch_size": 400}, ["recipe.batch_size is 400", "training split has only"]),
        ({"method__name": "fitnet", "method__taps": "[stage9]"}, ["'stage9'", "'stage1'"]),
        ({"data__schema_path": "/nowhere.pbtxt"}, ["data.schema_path", "/nowhere.pbtxt"]),
    ],
)
def test_mistakes_are_found_before_anything_runs(workdir, settings, expected):
    ran = workdir.run(**settings)
    assert ran.status == 2
    assert not ran.executed
    for part in expected:
        assert part in ran.printed
