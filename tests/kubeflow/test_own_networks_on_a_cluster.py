"""A teacher and a student of the user's own, compiled for a cluster and run, without containers."""

import hashlib
import json
import shutil
from itertools import count
from pathlib import Path

import pytest
import yaml
from local_kubeflow import Cache, Places, Processes, TaskFailedError, run
from small_runs import SMALL, overrides
from user_models import TAPS, model, saved, trained_teacher

from components.artifacts import DistillationSummary
from pipeline import config, version_lineage
from pipeline.cluster import plan, spec

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SETTINGS = {key: value for key, value in SMALL.items() if not key.startswith("teacher.")} | {
    "method.name": "fitnet",
    "method.taps": "[stage2]",
    "recipe.learning_rate": 0.01,
    "teacher.taps": json.dumps(TAPS),
    "student.taps": json.dumps(TAPS),
}


class Cluster:
    """A volume, a store and a cache, and the user's files."""

    def __init__(self, folder: Path):
        self.files = folder / "mine"
        self.volume = folder / "volume"
        for made in (self.files, self.volume / "networks"):
            made.mkdir(parents=True)
        self.store = folder / "store"
        self.cache = Cache()
        self._engine = Processes({"/app": ROOT})
        self._scratch = (folder / f"scratch{number}" for number in count())

    def run(self):
        settings = SETTINGS | {
            f"{role}.from": self.files / f"{role}.keras" for role in ("teacher", "student")
        }
        made = plan.make(config.load("quick", overrides(settings)), ["tfx-distill"])
        pipeline = next(yaml.safe_load_all(spec.document(made)))
        scratch = next(self._scratch)
        places = Places(self.store, self.volume, scratch, self._engine)
        root = f"minio://bucket/{scratch.name}"
        return run(pipeline, places, root, {}, self.cache, claims=["claim"])

    def copy(self, name):
        shutil.copyfile(self.files / name, self.volume / "networks" / name)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    trained_teacher(cluster.files)
    saved(model(width=4), cluster.files, "student")
    return cluster


def test_1_a_file_that_is_not_on_the_volume_is_asked_for(cluster):
    cluster.copy("teacher.keras")
    with pytest.raises(TaskFailedError) as failed:
        cluster.run()
    for part in ("network-probe", "/networks/student.keras", "kubectl", "tfx-distill-loader"):
        assert part in str(failed.value)
    assert not list(cluster.volume.glob("checkpoints/*"))


def test_2_a_student_is_pushed(cluster):
    cluster.copy("student.keras")
    records = cluster.run()
    assert {"teacher-importer", "trainer-baseline", "distill-trainer"} <= records.executed
    assert "trainer-teacher" not in records.executed
    [version] = (cluster.volume / "serving").glob("*/[0-9]*")
    assert (version / "saved_model.pb").is_file()
    [summary] = cluster.store.rglob(DistillationSummary.FILE_NAME)
    document = json.loads(summary.read_text(encoding="utf-8"))
    assert document["networks"] == {"teacher": "teacher", "student": "student"}
    assert document["test"]["teacher"]["top1"] > 0.15
    teacher = version_lineage.trace(str(version))["teacher"]
    file = cluster.files / "teacher.keras"
    assert teacher["origin"] == "imported"
    assert teacher["file"].endswith("/networks/teacher.keras")
    assert teacher["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert json.loads(teacher["taps"]) == TAPS


def test_3_unchanged_files_train_nothing(cluster):
    records = cluster.run()
    assert "network-probe" in records.executed
    assert not {"teacher-importer", "trainer-baseline", "distill-trainer"} & records.executed


def test_4_a_file_that_changed_on_the_volume_is_refused(cluster):
    """Though all that was made of the one before is in the cache."""
    other = saved(model(width=6), cluster.volume / "networks", "student")
    mine = cluster.files / "student.keras"
    with pytest.raises(TaskFailedError) as failed:
        cluster.run()
    for file in (other, mine):
        assert hashlib.sha256(file.read_bytes()).hexdigest() in str(failed.value)


def test_5_a_changed_file_on_both_sides_is_trained(cluster):
    shutil.copyfile(cluster.volume / "networks" / "student.keras", cluster.files / "student.keras")
    records = cluster.run()
    assert {"trainer-baseline", "distill-trainer"} <= records.executed
    assert "teacher-importer" not in records.executed
