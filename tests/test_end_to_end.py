"""Whole pipelines on real images: one workdir, one run after the other, as a user would."""

import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from small_runs import SMALL, sets

from kd_trainer.labels import FINE_LABELS
from pipeline import cli

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
TRAINING = ["Trainer.teacher", "Trainer.baseline", "DistillTrainer"]


class Ran:
    """What a run printed and returned."""

    def __init__(self, status, printed):
        self.status = status
        self.printed = printed
        ended = [line.split() for line in printed.splitlines() if line.startswith(("✓", "✗"))]
        self.cached = {words[1] for words in ended if words[-1] == "cached"}
        self.executed = {words[1] for words in ended} - self.cached


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return tmp_path_factory.mktemp("workdir")


@pytest.fixture
def run(workdir, capfd, monkeypatch):
    """Runs the command in this process, so that TFX is imported once."""

    def run(*arguments, **settings):
        monkeypatch.setattr(sys, "argv", ["tfx-distill", *arguments])
        status = cli.main(["run", "--workdir", str(workdir), *sets(SMALL, **settings), *arguments])
        captured = capfd.readouterr()
        return Ran(status, captured.out + captured.err)

    return run


def versions(workdir):
    return sorted(path.name for path in (workdir / "serving" / "quick").glob("[0-9]*"))


def test_1_first_run_pushes(run, workdir):
    ran = run()
    assert ran.status == 0, ran.printed
    assert ran.executed >= {
        "Cifar100ExampleGen",
        "StatisticsGen",
        *TRAINING,
        "StudentGate",
        "Pusher",
    }
    (version,) = versions(workdir)
    assert str(workdir / "serving" / "quick" / version) in ran.printed.replace("\n", "")
    assert "no other model has been pushed yet" in ran.printed
    # The library's noise is in the log alone.
    assert len(ran.printed.splitlines()) < 60
    (log,) = (workdir / "logs").iterdir()
    assert "learning_rate: 0.1" in log.read_text()


def test_2_pushed_model_answers_with_tensorflow_alone(workdir):
    (version,) = (workdir / "serving" / "quick").glob("[0-9]*")
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


def test_2_the_model_cards_snippet_answers(workdir, tmp_path):
    import tensorflow as tf

    (version,) = (workdir / "serving" / "quick").glob("[0-9]*")
    copy = shutil.copytree(version, tmp_path / "copy")
    image = tf.random.stateless_uniform((48, 64, 3), (0, 0), 0, 256, tf.int32)
    (copy / "image.png").write_bytes(tf.io.encode_png(tf.cast(image, tf.uint8)).numpy())
    (snippet,) = re.findall(r"```python\n(.*?)```", (copy / "README.md").read_text(), re.DOTALL)
    result = subprocess.run(
        [sys.executable, "-c", snippet], check=True, cwd=copy, timeout=120, capture_output=True
    )
    name, probability = result.stdout.decode().split()
    assert name in FINE_LABELS
    assert 0 < float(probability) <= 1


def test_3_ml_metadata_holds_the_chain_from_the_pushed_model(workdir):
    from ml_metadata import metadata_store

    from pipeline.store import sqlite

    store = metadata_store.MetadataStore(sqlite(workdir / "metadata.sqlite"))
    (pushed,) = store.get_artifacts_by_type("PushedModel")
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


def test_4_unchanged_run_trains_and_pushes_nothing(run, workdir):
    before = versions(workdir)
    ran = run()
    assert ran.status == 0
    assert {"Cifar100ExampleGen", "StatisticsGen", *TRAINING} <= ran.cached
    assert versions(workdir) == before
    assert "no other model has been pushed yet" in ran.printed  # it is no champion for itself
    assert {"Evaluator", "ModelProfiler", "StudentGate"} <= run().cached


def test_5_another_method_retrains_the_student_alone(run, workdir):
    (first,) = versions(workdir)
    ran = run(method__name="fitnet")
    assert ran.status == 0
    assert {"Trainer.teacher", "Trainer.baseline", "Cifar100ExampleGen"} <= ran.cached
    assert "DistillTrainer" in ran.executed
    assert "hint 1/1" in ran.printed  # FitNet's first stage
    assert f"version {first} is the newest pushed one" in ran.printed
    assert len(versions(workdir)) == 2


def test_6_gate_refuses_with_numbers(run, workdir):
    before = versions(workdir)
    ran = run(gate__min_accuracy=0.99)
    assert ran.status == 3
    assert "must be at least 99.00%: refuse" in ran.printed
    assert ran.printed.count(": refuse") == 1
    assert "Refused by gate.min_accuracy: nothing was pushed." in ran.printed
    assert versions(workdir) == before
    assert not ran.executed & set(TRAINING)


def test_7_edited_code_is_not_served_from_the_cache(run, tmp_path, monkeypatch):
    from pipeline import fingerprint

    for package in ("components", "kd_trainer"):
        shutil.copytree(ROOT / package, tmp_path / package)
    monkeypatch.setattr(fingerprint, "_ROOT", tmp_path)
    assert set(TRAINING) <= run().cached
    with open(tmp_path / "kd_trainer" / "methods" / "soft_logits.py", "a") as file:
        file.write("\n# edited\n")
    ran = run()
    assert "DistillTrainer" in ran.executed
    assert {"Trainer.teacher", "Trainer.baseline"} <= ran.cached


def test_8_edited_schema_under_the_same_path(run, tmp_path):
    schema = tmp_path / "mine.pbtxt"
    shutil.copyfile(ROOT / "schemas" / "cifar100.pbtxt", schema)
    assert set(TRAINING) <= run(data__schema_path=schema).cached  # the same content
    schema.write_text(schema.read_text().replace("max: 19", "max: 12"))
    ran = run(data__schema_path=schema)
    assert ran.status == 1
    assert "split 'train', feature 'coarse_label': INT_TYPE_BIG_INT" in ran.printed
    assert not {*TRAINING, "Evaluator", "Pusher"} & (ran.executed | ran.cached)


def test_a_withdrawn_student_is_not_pushed_again(run, workdir):
    assert run().status == 0
    before = versions(workdir)
    assert cli.main(["rollback", "--workdir", str(workdir), "--reason", "a test"]) == 0
    assert versions(workdir) == before[:-1]
    assert run().status == 3
    assert versions(workdir) == before[:-1]


def test_data_given_as_a_path(run, official_archive):
    ran = run("--data", str(official_archive), data__limit=500)
    assert ran.status == 0, ran.printed
    counts = re.search(r"\((\d+) train, (\d+) eval, (\d+) test\)", ran.printed)
    train, held_out, test = map(int, counts.groups())
    assert (train + held_out, test) == (500, 500)
    assert str(official_archive) in ran.printed


def test_all_images_may_be_trained_on(run):
    ran = run(data__eval_fraction=0)
    assert ran.status == 0, ran.printed
    assert "(300 train, 300 test)" in ran.printed
    assert "val_accuracy" not in ran.printed


def test_failing_training_says_why_and_leaves_no_model(run, workdir):
    ran = run(recipe__learning_rate=1e20, recipe__warmup_epochs=0)
    assert ran.status == 1
    assert "not finite" in ran.printed
    assert not list((workdir / "pipelines").rglob("*.partial"))
    assert str(workdir / "logs") in ran.printed.replace("\n", "")


def test_killed_run_goes_on_where_it_was(run, workdir):
    settings = {"seed": 7, "recipe__epochs": 4}
    command = [sys.executable, "-m", "pipeline.cli", "run", "--workdir", workdir]
    command += sets(SMALL, **settings)
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as killed:
        assert any("task 3/4" in line for line in killed.stdout)
        killed.kill()
    ran = run(**settings)
    assert ran.status == 0, ran.printed
    assert "Cifar100ExampleGen" in ran.cached
    assert "task 1/4" not in ran.printed
    assert "task 4/4" in ran.printed or "Trainer.baseline" in ran.cached
    assert not list((workdir / "checkpoints").rglob("*.npz"))  # removed where training has ended


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"recipe__batch_size": 400}, ["recipe.batch_size is 400", "training split has only"]),
        ({"data__path": "/nowhere"}, ["/nowhere"]),
        ({"method__name": "fitnet", "method__taps": "[stage9]"}, ["'stage9'", "'stage1'"]),
        ({"data__schema_path": "/nowhere.pbtxt"}, ["data.schema_path", "/nowhere.pbtxt"]),
    ],
)
def test_mistakes_are_found_before_anything_runs(run, settings, expected):
    ran = run(**settings)
    assert ran.status == 2
    assert not ran.executed
    for part in expected:
        assert part in ran.printed


def test_corrupt_archive_is_found_before_anything_runs(run, tmp_path):
    from components.cifar100_example_gen.sample import SAMPLE

    broken = tmp_path / "broken.tar.bz2"
    broken.write_bytes(SAMPLE.read_bytes()[:100_000])
    ran = run("--data", str(broken))
    assert ran.status == 2
    assert "broken.tar.bz2" in ran.printed
    with tarfile.open(tmp_path / "empty.tar", "w"):
        pass
    assert run("--data", str(tmp_path / "empty.tar")).status == 2


def test_dry_run_checks_and_prints_and_writes_nothing(tmp_path, capfd):
    target = tmp_path / "new"
    assert cli.main(["run", "--dry-run", "--workdir", str(target)]) == 0
    printed = capfd.readouterr().out
    assert "Trainer.teacher" in printed
    assert "temperature: 2.0" in printed
    assert not target.exists()
    assert cli.main(["run", "--dry-run", "--preset", "qiuck"]) == 2
    assert "'quick'" in capfd.readouterr().err
