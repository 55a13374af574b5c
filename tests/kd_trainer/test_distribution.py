"""Training on two devices and in two processes: what one device trains, to rounding."""

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import keras
import numpy as np
import pytest
from kd_helpers import sample, tiny, tiny_data

from kd_trainer import distribution, training
from kd_trainer.data import TrainingBatches
from kd_trainer.distributed_data import fit_data
from kd_trainer.errors import ConfigError
from kd_trainer.methods import METHODS, Step, create, method_class
from kd_trainer.networks.taps import tapped
from kd_trainer.recipe import Recipe

SCRIPT = Path(__file__).with_name("distributed.py")
ROOT = SCRIPT.parents[2]
CASES = ["alone", "soft_logits", "attention_transfer", "fitnet"]
PRESETS = [(name, preset) for name in METHODS for preset in method_class(name).PRESETS]


def start(stack: ExitStack, arguments: list, **environment: str) -> subprocess.Popen:
    """Starts a training in a process of its own, without a GPU."""
    paths = os.pathsep.join([str(ROOT), str(SCRIPT.parent)])
    variables = {"PYTHONPATH": paths, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        env={**os.environ, **variables, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    stack.enter_context(process)
    stack.callback(process.kill)
    return process


def clusters(count: int) -> list[str]:
    """TF_CONFIG of each of some processes on this machine."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        workers = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    task = {"type": "worker"}
    return [
        json.dumps({"cluster": {"worker": workers}, "task": {**task, "index": index}})
        for index in range(count)
    ]


def finish(process: subprocess.Popen) -> None:
    printed, _ = process.communicate(timeout=240)
    assert process.returncode == 0, printed[-4000:]


def result(out: Path) -> tuple[list[dict], list[np.ndarray]]:
    with np.load(out.with_suffix(".npz")) as weights:
        return json.loads(out.with_suffix(".json").read_text()), list(weights.values())


def assert_same(one: Path, other: Path) -> None:
    (rows, weights), (other_rows, other_weights) = result(one), result(other)
    assert len(rows) == len(other_rows) >= 3
    for row, other_row in zip(rows, other_rows, strict=True):
        for each in (row, other_row):
            del each["seconds"]
        assert other_row == pytest.approx(row, rel=1e-4)
    for weight, other_weight in zip(weights, other_weights, strict=True):
        np.testing.assert_allclose(other_weight, weight, rtol=1e-3, atol=1e-5)


@pytest.fixture(scope="module")
def one_device(tmp_path_factory):
    """Where the results of one device lie, by case; each is trained once."""
    folder = tmp_path_factory.mktemp("one_device")

    def trained(case: str) -> Path:
        out = folder / case
        if not out.with_suffix(".npz").exists():
            with ExitStack() as stack:
                finish(start(stack, [case, "none", out]))
        return out

    return trained


@pytest.mark.slow
@pytest.mark.parametrize("case", [*CASES, "dml", "jacobian_matching"])
def test_two_devices_train_what_one_does(case, one_device, tmp_path):
    with ExitStack() as stack:
        finish(start(stack, [case, "mirrored", tmp_path / "two"]))
    assert_same(one_device(case), tmp_path / "two")


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_processes_train_what_one_does_and_the_chief_writes(case, one_device, tmp_path):
    outs = [tmp_path / "chief", tmp_path / "worker"]
    with ExitStack() as stack:
        processes = [
            start(stack, [case, "multi_worker", out], TF_CONFIG=cluster)
            for out, cluster in zip(outs, clusters(2), strict=True)
        ]
        for process in processes:
            finish(process)
    for out in outs:
        assert_same(one_device(case), out)
    assert (outs[0] / "history.json").exists()
    assert not outs[1].exists()


@pytest.mark.slow
def test_killed_processes_go_on_where_they_were(one_device, tmp_path):
    def processes(stack):
        return [
            start(
                stack,
                ["soft_logits", "multi_worker", tmp_path / f"out{index}", tmp_path / "state"],
                TF_CONFIG=cluster,
            )
            for index, cluster in enumerate(clusters(2))
        ]

    with ExitStack() as stack:
        chief, _ = processes(stack)
        assert any(line == "epoch 2\n" for line in chief.stdout)
    with ExitStack() as stack:
        chief, worker = processes(stack)
        printed, _ = chief.communicate(timeout=240)
        assert chief.returncode == 0, printed[-4000:]
        assert "epoch 1\n" not in printed
        assert "epoch 3\n" in printed
        finish(worker)
    assert_same(one_device("soft_logits"), tmp_path / "out0")


class Inferring(Step):
    """A step whose adapters infer, so that BatchNorm sees each image by itself."""

    def adapt(self, name, *inputs):
        return self.adapters[name](*inputs, training=False)


def terms(adapters, stage, images, labels, student, teacher) -> dict[str, float]:
    taps = [
        tapped(network, sorted(names))(images, training=False) if names else {}
        for network, names in [(student, stage.student_taps), (teacher, stage.teacher_taps)]
    ]
    indices = np.arange(len(labels))
    found = stage.terms(Inferring(*taps, labels, adapters, indices))
    return {name: float(value) for name, value in found.items()}


@pytest.mark.parametrize(
    ("name", "preset"), [row for row in PRESETS if row[0] != "jacobian_matching"]
)
def test_what_is_not_refused_is_a_mean_over_the_images(name, preset):
    method = create({"name": name, "preset": preset})
    student, teacher = (tiny(10, role, size=32, stages=3) for role in ("student", "teacher"))
    data = sample("train", 8)
    labels = data.labels % 10
    adapters = training.fit_taps(teacher, student, method, 5, labels)
    by_parts = True
    for stage in method.stages(5):
        whole, first, second = (
            terms(adapters, stage, data.images[part], labels[part], student, teacher)
            for part in (slice(0, 8), slice(0, 4), slice(4, 8))
        )
        means = {term: (first[term] + second[term]) / 2 for term in whole}
        by_parts &= means == pytest.approx(whole, rel=1e-4)
    assert by_parts == (not method.whole_batch())


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"name": "rkd"}, "rkd relates the images"),
        ([{"name": "fitnet"}, {"name": "dist"}], "dist correlates"),
        ({"name": "logit_standardization", "on": "dist"}, "dist correlates"),
    ],
)
def test_methods_that_need_the_whole_batch_are_refused(spec, expected):
    distribution.check("none", create(spec))
    with pytest.raises(ConfigError, match=f"(?s)'mirrored'.*{expected}.*distribution=none"):
        distribution.check("mirrored", create(spec))
    with pytest.raises(ConfigError, match=expected):
        training.distil(
            tiny(name="teacher"),
            "resnet8",
            create(spec),
            5,
            Recipe(distribution="mirrored"),
            0,
            tiny_data(8),
        )


@pytest.mark.parametrize(
    "cluster",
    ["", "{", "[]", '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}'],
)
def test_several_processes_need_their_addresses(cluster, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", cluster)
    with pytest.raises(ConfigError, match="expected two processes or more"):
        distribution.join("multi_worker")


def test_another_backend_takes_none_alone(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    distribution.join("none")
    assert distribution.replicas() == 1
    with pytest.raises(ConfigError, match=r"'mirrored', which is TensorFlow's.*'jax'"):
        distribution.scope("mirrored")


def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch):
    monkeypatch.setattr(distribution, "replicas", lambda: 3)
    batches = TrainingBatches(tiny_data(16), Recipe(batch_size=8), 0)
    with pytest.raises(ConfigError, match=r"recipe\.batch_size is 8.*3 replicas.*multiple of 3"):
        fit_data("mirrored", batches, None, 8)
