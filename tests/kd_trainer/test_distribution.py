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
from distributed_training import CASES
from kd_helpers import close, sample, sharpen, tiny, tiny_data

from kd_trainer import distribution, training
from kd_trainer.data import TrainingBatches
from kd_trainer.distributed_data import fit_data
from kd_trainer.errors import ConfigError
from kd_trainer.methods import METHODS, Step, create, method_class
from kd_trainer.networks.taps import tapped
from kd_trainer.recipe import Recipe

SCRIPT = Path(__file__).with_name("distributed_training.py")
ROOT = SCRIPT.parents[2]
PRESETS = [(name, preset) for name in METHODS for preset in method_class(name).PRESETS]


def start(stack: ExitStack, arguments: list, **environment: str) -> subprocess.Popen:
    """Starts trainings in a process of their own, without a GPU."""
    paths = os.pathsep.join([str(ROOT), str(SCRIPT.parent)])
    variables = {"PYTHONPATH": paths, "CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        env={**os.environ, **variables, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    stack.enter_context(process)
    stack.callback(process.kill)
    return process


def start_two(stack: ExitStack, out: Path, *cases: str, **environment: str) -> list:
    """Starts a chief, which writes to out/0, and a worker, which writes to out/1."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(2)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        workers = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    clusters = [
        {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        for index in range(2)
    ]
    return [
        start(
            stack,
            ["multi_worker", out / str(index), *cases],
            TF_CONFIG=json.dumps(cluster),
            **environment,
        )
        for index, cluster in enumerate(clusters)
    ]


def finish(process: subprocess.Popen) -> str:
    printed, _ = process.communicate()
    assert process.returncode == 0, printed[-4000:]
    return printed


def assert_same(case: str, one: Path, other: Path) -> None:
    (rows, weights), (other_rows, other_weights) = (read(folder, case) for folder in (one, other))
    assert len(rows) >= 3
    assert other_rows == [close(row, rel=1e-4) for row in rows]
    for weight, other_weight in zip(weights, other_weights, strict=True):
        np.testing.assert_allclose(other_weight, weight, rtol=1e-2, atol=1e-4)


def read(folder: Path, case: str) -> tuple[list[dict], list[np.ndarray]]:
    """The history without the seconds, and the weights."""
    rows = json.loads((folder / f"{case}.json").read_text(encoding="utf-8"))
    for row in rows:
        del row["seconds"]
    with np.load(folder / f"{case}.npz") as weights:
        return rows, list(weights.values())


def in_one_process(distribution: str, folder: Path) -> Path:
    with ExitStack() as stack:
        finish(start(stack, [distribution, folder, *CASES]))
    return folder


@pytest.fixture(scope="module")
def one_device(tmp_path_factory):
    return in_one_process("none", tmp_path_factory.mktemp("one_device"))


@pytest.fixture(scope="module")
def two_devices(tmp_path_factory):
    return in_one_process("mirrored", tmp_path_factory.mktemp("two_devices"))


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two_processes")
    with ExitStack() as stack:
        for process in start_two(stack, folder, *CASES):
            finish(process)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_devices_train_what_one_does(case, one_device, two_devices):
    assert_same(case, one_device, two_devices)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_processes_train_what_one_does_and_the_chief_writes(case, one_device, two_processes):
    for index in range(2):
        assert_same(case, one_device, two_processes / str(index))
    assert (two_processes / "0" / case / "history.json").exists()
    assert not (two_processes / "1" / case).exists()


@pytest.mark.slow
def test_killed_processes_go_on_where_they_were(one_device, tmp_path):
    case, checkpoint = "soft_logits", str(tmp_path / "state")
    with ExitStack() as stack:
        chief, _ = start_two(stack, tmp_path, case, CHECKPOINT=checkpoint)
        assert any("epoch 2" in line for line in chief.stdout)
    with ExitStack() as stack:
        chief, worker = start_two(stack, tmp_path, case, CHECKPOINT=checkpoint)
        printed = finish(chief)
        finish(worker)
    assert "epoch 1" not in printed
    assert "epoch 3" in printed
    assert_same(case, one_device, tmp_path / "0")


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
    ("name", "preset"),
    [
        row if row[0] in ("fitnet", "soft_logits") else pytest.param(*row, marks=pytest.mark.slow)
        for row in PRESETS
        if row[0] != "jacobian_matching"
    ],
)
def test_what_is_not_refused_is_a_mean_over_the_images(name, preset):
    method = create({"name": name, "preset": preset})
    student, teacher = (
        sharpen(tiny(10, role, size=32, stages=3)) for role in ("student", "teacher")
    )
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
