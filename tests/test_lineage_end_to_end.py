"""Lineage of real runs: one workdir, one run after the other."""

import hashlib
import json
import platform
import subprocess
import sys
from pathlib import Path

import pytest
from small_runs import SMALL, sets

from components.cifar100_example_gen.sample import SAMPLE
from components.run_recorder import origin
from pipeline import cli

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
UNTOUCHED = {
    *("Cifar100ExampleGen", "ImportSchemaGen", "StatisticsGen"),
    *("Trainer.teacher", "Trainer.baseline", "DistillTrainer"),
}


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return tmp_path_factory.mktemp("workdir")


@pytest.fixture
def run(workdir, capfd, monkeypatch):
    """Returns the exit status and the nodes that the cache served."""

    def run(**settings):
        monkeypatch.setattr(sys, "argv", ["tfx-distill"])
        status = cli.main(["run", "--workdir", str(workdir), *sets(SMALL, **settings)])
        printed = capfd.readouterr().out
        return status, {line.split()[1] for line in printed.splitlines() if "cached" in line}

    return run


@pytest.fixture
def read(workdir, capfd):
    """Returns the document that a command prints."""

    def read(*command):
        assert cli.main([*command, "--json", "--workdir", str(workdir)]) == 0
        return json.loads(capfd.readouterr().out)

    return read


def test_1_a_refused_run(run, read):
    status, _ = run(gate__min_accuracy=1)
    assert status == 3
    [row] = read("runs")
    assert row["outcome"] == "refused"
    assert (row["teacher"], row["student"]) == ("resnet8", "resnet8")
    assert row["method"] == "soft_logits (crd)"
    assert 0 <= row["top1"] < 1
    assert row["seconds"] > 0


def test_2_lineage_names_the_run_that_trained_what_a_cached_run_pushed(run, read, workdir):
    status, cached = run()
    assert status == 0
    assert cached >= UNTOUCHED
    first, second = read("runs")
    [version] = [path.name for path in (workdir / "serving" / "quick").glob("[0-9]*")]
    assert (second["outcome"], second["version"]) == ("pushed", version)

    document = read("lineage")
    assert document["version"] == version
    assert document["push"]["run"] == second["id"]
    for made in (
        document["student"],
        document["teacher"],
        document["baseline"]["from_scratch"],
        document["examples"],
        document["schema"],
    ):
        assert made["run"] == first["id"]
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
    assert document["student"]["recipe"]["epochs"] == 1
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
        found = subprocess.run(head, capture_output=True, text=True, check=True).stdout.strip()
        assert record["code"]["revision"] == found
    assert record["environment"]["python"] == platform.python_version()


def test_3_an_unchanged_run_has_an_unchanged_record(run, read):
    status, cached = run()
    assert status == 0
    assert cached >= {"RunRecorder", *UNTOUCHED}
    *_, second, third = read("runs")
    assert (third["outcome"], third["version"]) == ("unchanged", second["version"])
    changes = read("diff", second["id"], third["id"])["changes"]
    assert set(changes.pop("results")) == {"outcome"}
    assert not any(changes.values())


def test_4_another_revision_trains_nothing(run, read, monkeypatch, tmp_path):
    monkeypatch.setattr(origin, "_ROOT", tmp_path)  # is no checkout
    monkeypatch.setenv(origin.REVISION_VARIABLE, "b" * 40)
    _, cached = run()
    assert "RunRecorder" not in cached
    assert cached >= {*UNTOUCHED, "Evaluator"}
    *_, third, fourth = read("runs")
    changes = read("diff", third["id"], fourth["id"])["changes"]
    assert changes["code"]["revision"][1] == "b" * 40
    # What is in service is what the first run trained, not what this one found in order.
    assert read("lineage")["student"]["run"] == read("runs")[0]["id"]


def test_5_another_method(run, read, workdir, capfd):
    status, _ = run(method__name="fitnet")
    assert status == 0
    rows = read("runs")
    assert rows[-1]["outcome"] == "pushed"
    assert rows[-1]["method"].startswith("fitnet")
    old, new = rows[1]["version"], rows[-1]["version"]
    document = read("lineage")
    assert document["version"] == new
    assert document["student"]["method"]["name"] == "fitnet"
    assert document["student"]["run"] == rows[-1]["id"]
    assert document["teacher"]["run"] == rows[0]["id"]
    assert document["baseline"]["champion_version"] == old
    changes = read("diff", old, new)["changes"]
    assert changes["config"]["method.name"] == ["soft_logits", "fitnet"]
    temperature = document["student"]["method"]["temperature"]
    assert changes["config"]["method.temperature"] == [2.0, temperature]
    assert not changes["data"]
    assert changes["results"]["outcome"] == [f"pushed {old}", f"pushed {new}"]
    assert cli.main(["lineage", old, "--workdir", str(workdir)]) == 0
    assert "soft_logits (crd)" in capfd.readouterr().out


def test_6_a_failed_run(run, read, workdir, capfd):
    status, _ = run(recipe__learning_rate=1e20, recipe__warmup_epochs=0)
    assert status == 1
    row = read("runs")[-1]
    assert row["outcome"] == "failed"
    assert row["node"] in ("Trainer.teacher", "Trainer.baseline", "DistillTrainer")
    assert row["top1"] is None
    assert cli.main(["runs", "--workdir", str(workdir)]) == 0
    assert f"failed at {row['node']}" in capfd.readouterr().out
    changes = read("diff", read("runs")[0]["id"], row["id"])["changes"]
    assert changes["config"]["recipe.learning_rate"] == [0.1, 1e20]


def test_7_an_unknown_version_is_answered_with_the_known_ones(read, workdir, capfd):
    assert cli.main(["lineage", "1", "--workdir", str(workdir)]) == 2
    told = capfd.readouterr().err
    for path in (workdir / "serving" / "quick").glob("[0-9]*"):
        assert path.name in told
