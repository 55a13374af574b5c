"""Networks of the user's own in a compiled pipeline."""

import hashlib
import json

import pytest
import yaml
from compiled_quick import comparison, document
from user_models import TAPS, model, saved, trained_teacher

from kd_trainer.errors import ConfigError
from pipeline import config
from pipeline.cluster import plan


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("user")
    trained_teacher(folder)
    saved(model(width=4), folder, "student")
    return folder


@pytest.fixture(scope="module")
def tasks(folder):
    return compiled(document(*overrides(folder)))


def overrides(folder, student="student.keras"):
    taps = json.dumps(TAPS)
    return [
        f"teacher.from={folder / 'teacher.keras'}",
        f"teacher.taps={taps}",
        f"student.from={folder / student}",
        f"student.taps={taps}",
    ]


def compiled(text):
    spec, _ = yaml.safe_load_all(text)
    return spec["root"]["dag"]["tasks"]


def constants(task):
    parameters = task["inputs"]["parameters"]
    return {
        key: value["runtimeValue"]["constant"]
        for key, value in parameters.items()
        if "runtimeValue" in value
    }


def test_the_files_are_named_as_they_lie_on_the_volume_with_their_digests(tasks, folder):
    networks = json.loads(constants(tasks["network-probe"])["networks"])
    for role in ("teacher", "student"):
        assert networks[role]["file"] == f"/work/networks/{role}.keras"
        content = (folder / f"{role}.keras").read_bytes()
        assert networks[role]["sha256"] == hashlib.sha256(content).hexdigest()
        assert networks[role]["taps"] == TAPS
    teacher = constants(tasks["teacher-importer"])
    assert teacher["sha256"] == networks["teacher"]["sha256"]
    student = networks["student"]["architecture"]
    assert student.startswith("/work/students/")
    trained = json.loads(constants(tasks["distill-trainer"])["config"])
    assert trained["student"] == student
    assert "trainer-teacher" not in tasks


def test_they_are_looked_at_in_each_run_and_before_anything_else(tasks):
    assert tasks["network-probe"]["cachingOptions"] == {}
    assert tasks["teacher-importer"]["cachingOptions"] == {"enableCache": True}

    def before(name):
        direct = set(tasks[name].get("dependentTasks", ()))
        return direct.union(*(before(each) for each in direct))

    trained = ("teacher-importer", "trainer-baseline", "distill-trainer")
    assert all("network-probe" in before(name) for name in trained)


@pytest.mark.slow
def test_another_content_is_another_architecture(folder, tmp_path):
    taps = f"student.taps={json.dumps(TAPS)}"
    saved(model(width=6), tmp_path, "student")
    first, other = (
        plan.make(config.load("quick", [f"student.from={each / 'student.keras'}", taps]), [])
        for each in (folder, tmp_path)
    )
    assert first.student != other.student
    assert first.networks_to_find["student"]["file"] == other.networks_to_find["student"]["file"]


def test_a_comparison_has_them_too(folder):
    methods = ["compare.methods=[rkd, dkd]", "compare.trials=1"]
    tasks = compiled(comparison(*overrides(folder), *methods))
    assert {"network-probe", "teacher-importer"} <= tasks.keys()
    assert "trainer-teacher" not in tasks
    source = tasks["distill-trainer-rkd-0"]["inputs"]["artifacts"]["teacher"]
    assert source["taskOutputArtifact"]["producerTask"] == "teacher-importer"


def test_two_files_of_one_name_are_refused(folder, tmp_path):
    saved(model(width=4), tmp_path, "teacher")
    with pytest.raises(ConfigError) as refused:
        document(*overrides(folder)[:2], f"student.from={tmp_path / 'teacher.keras'}")
    for part in ("'teacher.keras'", "/work/networks/teacher.keras", "rename one"):
        assert part in str(refused.value)
