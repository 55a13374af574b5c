"""A teacher and a student of the user's own, from the configuration to the graph."""

import json
import os
from pathlib import Path

import keras
import numpy as np
import pytest
import yaml
from tfx.orchestration.kubeflow.v2 import kubeflow_v2_dag_runner
from user_models import TAPS, model, saved, trained_teacher

from components.cifar100_example_gen.reader import load
from components.cifar100_example_gen.sample import SAMPLE
from kd_trainer import export, networks
from pipeline import config, graph, plan, user_networks


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The user's files."""
    folder = tmp_path_factory.mktemp("user")
    trained_teacher(folder)
    saved(model(width=4, activation=None), folder, "student")
    return folder


def overrides(folder, *more):
    taps = json.dumps(TAPS)
    return [
        f"teacher.from={folder / 'teacher.keras'}",
        f"teacher.taps={taps}",
        f"student.from={folder / 'student.keras'}",
        f"student.taps={taps}",
        "method.name=fitnet",
        "method.taps=[stage2]",
        "data.limit=600",
        *more,
    ]


def make(folder, workdir, *more):
    return plan.make(config.load("quick", overrides(folder, *more)), workdir, str(SAMPLE))


@pytest.fixture(scope="module")
def check():
    train = load(str(SAMPLE))[1]["train"][:300]

    def check(role, file, workdir, taps):
        section = config.NetworkConfig.model_validate({"from": str(file), "taps": taps})
        return user_networks.check(role, section, workdir, 100, train.images, train.labels)

    return check


@pytest.fixture(scope="module")
def planned(folder, tmp_path_factory):
    return make(folder, tmp_path_factory.mktemp("workdir"))


def test_the_importer_takes_the_trainers_place(planned, folder):
    pipeline = graph.create_pipeline(planned)
    nodes = {node.id: node for node in pipeline.components}
    assert "Trainer.teacher" not in nodes
    importer = nodes["Importer.teacher"]
    distill = nodes["DistillTrainer"]
    # Without a teacher that is trained first, it is the distillation that waits for the data.
    assert {importer, nodes["AnomalyGate"]} <= set(distill.upstream_nodes)
    [artifact] = importer.outputs["model"].get()
    assert artifact.type_name == "Model"
    assert artifact.get_string_custom_property("file") == str(folder / "teacher.keras")
    assert len(artifact.get_string_custom_property("sha256")) == 64
    assert json.loads(artifact.get_string_custom_property("taps")) == TAPS
    baseline = json.loads(nodes["Trainer.baseline"].exec_properties["custom_config"])
    distillation = json.loads(distill.exec_properties["config"])
    assert baseline["network"] == distillation["student"] == planned.student
    assert not list(planned.workdir.iterdir())


def test_it_compiles_for_kubeflow(planned, tmp_path):
    pipeline = graph.create_pipeline(planned)
    kubeflow_v2_dag_runner.KubeflowV2DagRunner(
        config=kubeflow_v2_dag_runner.KubeflowV2DagRunnerConfig(use_pipeline_spec_2_1=True),
        output_dir=str(tmp_path),
        output_filename="quick.yaml",
    ).run(pipeline)
    spec = yaml.safe_load((tmp_path / "quick.yaml").read_text(encoding="utf-8"))
    assert len(spec["root"]["dag"]["tasks"]) == len(pipeline.components)
    importers = [
        executor["importer"]
        for executor in spec["deploymentSpec"]["executors"].values()
        if "importer" in executor
    ]
    assert [importer["artifactUri"]["constant"] for importer in importers] == [
        str(planned.own["teacher"].directory)
    ]


def test_the_files_are_kept_as_the_components_read_them(planned, folder):
    planned.keep_inputs()
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    teacher = export.load(str(planned.own["teacher"].directory))
    own = keras.saving.load_model(folder / "teacher.keras")
    found = keras.ops.softmax(teacher(images))
    np.testing.assert_allclose(found, own(images.astype("float32")), rtol=1e-4, atol=1e-6)
    assert (planned.own["teacher"].directory / "Format-Serving" / "saved_model.pb").is_file()
    student = networks.build(planned.student, 100)
    assert student.name == "student"
    assert student.count_params() == model(width=4).count_params()
    # What is there already is left as it is.
    before = os.stat(planned.student).st_mtime_ns
    planned.keep_inputs()
    assert os.stat(planned.student).st_mtime_ns == before
    for role in ("teachers", "students"):
        assert len(list((planned.workdir / role).iterdir())) == 1


@pytest.mark.slow
def test_the_folder_is_named_by_the_content(check, folder, tmp_path):
    copy = tmp_path / "student.keras"
    copy.write_bytes((folder / "student.keras").read_bytes())

    def directory(file, taps):
        return check("student", file, tmp_path, taps).directory

    same = directory(copy, TAPS)
    assert same == directory(folder / "student.keras", TAPS)
    others = [directory(copy, {**TAPS, "stem": "conv_a"})]
    saved(model(width=5), tmp_path, "student")
    others.append(directory(copy, TAPS))
    assert len({same, *others}) == 3


def test_a_folder_is_complete_or_absent(planned, monkeypatch, tmp_path):
    own = planned.own["teacher"]
    own = user_networks.OwnNetwork(own.file, own.sha256, own.taps, own.user, tmp_path / "kept")

    def killed(network, serving_dir, class_names):
        Path(serving_dir).mkdir()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(export, "export", killed)
        with pytest.raises(KeyboardInterrupt):
            own.keep_trained()
    assert not own.directory.exists()
    own.keep_trained()
    assert (own.directory / "model.keras").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
