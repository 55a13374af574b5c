import os
import subprocess
import sys

import pytest

from kd_trainer import processors

pytestmark = pytest.mark.light

HERE = 16


@pytest.fixture
def proc(tmp_path, monkeypatch):
    """Writes what the kernel says of a process and its cgroups; returns the folder in /proc."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(HERE)))
    cgroups = tmp_path / "sys"
    cgroups.mkdir()

    def proc(memberships, mounts, files):
        (tmp_path / "cgroup").write_text("\n".join(memberships), encoding="utf-8")
        lines = [
            f"31 23 0:27 {root} {cgroups}{point} rw,nosuid shared:9 - {kind} {kind} {options}"
            for root, point, kind, options in mounts
        ]
        (tmp_path / "mountinfo").write_text(
            "\n".join(["1 0 0:1 / / rw - ext4 /dev/a rw", *lines]), encoding="utf-8"
        )
        for name, text in files.items():
            path = cgroups / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path

    return proc


V2 = ("/", "", "cgroup2", "rw,nsdelegate")
V1 = ("/", "/cpu", "cgroup", "rw,cpu,cpuacct")


@pytest.mark.parametrize(
    ("memberships", "mounts", "files", "expected"),
    [
        # A pod: the root of its own namespace.
        (["0::/"], [V2], {"cpu.max": "100000 100000\n"}, 1),
        (["0::/"], [V2], {"cpu.max": "150000 100000\n"}, 2),
        (["0::/"], [V2], {"cpu.max": "50000 100000\n"}, 1),
        (["0::/"], [V2], {"cpu.max": "max 100000\n"}, HERE),
        (["0::/"], [V2], {"cpu.max": "6400000 100000\n"}, HERE),
        # A service of systemd: the limit is of a slice above.
        (
            ["0::/a.slice/b.service"],
            [V2],
            {"a.slice/cpu.max": "300000 100000\n", "a.slice/b.service/cpu.max": "max 100000\n"},
            3,
        ),
        # Docker with version 1: the host's path, which is what is mounted.
        (
            ["4:cpu,cpuacct:/docker/abc", "3:memory:/docker/abc", "0::/"],
            [("/docker/abc", "/cpu", "cgroup", "rw,cpu,cpuacct"), V2],
            {"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"},
            2,
        ),
        (
            ["4:cpu,cpuacct:/a/b"],
            [V1],
            {
                "cpu/a/cpu.cfs_quota_us": "500000\n",
                "cpu/a/cpu.cfs_period_us": "100000\n",
                "cpu/a/b/cpu.cfs_quota_us": "-1\n",
                "cpu/a/b/cpu.cfs_period_us": "100000\n",
            },
            5,
        ),
        # Another controller's hierarchy has nothing to say, nor has one that is not there.
        (["4:cpuset:/a"], [("/", "/cpuset", "cgroup", "rw,cpuset")], {}, HERE),
        ([], [], {}, HERE),
    ],
)
def test_the_least_of_affinity_and_quotas(proc, memberships, mounts, files, expected):
    assert processors.available(proc(memberships, mounts, files)) == expected


def test_without_cgroups_it_is_the_affinity(tmp_path):
    assert processors.available(tmp_path) == len(os.sched_getaffinity(0))


@pytest.fixture
def environment(monkeypatch):
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "TF_ENABLE_ONEDNN_OPTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(HERE)))
    monkeypatch.setattr("platform.machine", lambda: "x86_64")


def test_tensorflow_gets_threads_by_the_quota(environment, monkeypatch):
    monkeypatch.setattr(processors, "available", lambda: 3)
    processors.configure()
    assert os.environ["TF_NUM_INTRAOP_THREADS"] == os.environ["TF_NUM_INTEROP_THREADS"] == "3"
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == "1"


def test_what_the_user_has_set_stays(environment, monkeypatch):
    monkeypatch.setattr(processors, "available", lambda: 3)
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "7")
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    processors.configure()
    assert os.environ["TF_NUM_INTRAOP_THREADS"] == "7"
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == "0"


def test_without_a_quota_tensorflow_counts_by_itself(environment, monkeypatch):
    monkeypatch.setattr(processors, "available", lambda: HERE)
    processors.configure()
    assert "TF_NUM_INTRAOP_THREADS" not in os.environ


def test_other_processors_than_x86_have_no_onednn(environment, monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    processors.configure()
    assert "TF_ENABLE_ONEDNN_OPTS" not in os.environ


# Each begins a process: of a user, of TFX's runners, of a Beam worker, of a cluster's task.
@pytest.mark.parametrize(
    "module",
    [
        "kd_trainer.training",
        "kd_trainer.run_fn",
        "components.artifacts",
        "components.gate_evaluator.executor",
        "pipeline.config",
        "pipeline.local_runner",
        "pipeline.cluster.entrypoint",
    ],
)
def test_it_is_set_before_tensorflow_is_loaded(module):
    code = """
import importlib, os, sys

class AsTensorFlowIsLoaded:
    def find_spec(self, name, path=None, target=None):
        if name in ("tensorflow", "keras", "tfx"):
            print(os.environ["TF_ENABLE_ONEDNN_OPTS"])
            os._exit(0)

sys.meta_path.insert(0, AsTensorFlowIsLoaded())
importlib.import_module(sys.argv[1])
print(os.environ["TF_ENABLE_ONEDNN_OPTS"], "without TensorFlow")
"""
    environment = {key: text for key, text in os.environ.items() if not key.startswith("TF_")}
    found = subprocess.run(
        [sys.executable, "-c", code, module],
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert found.stdout.startswith("1"), found.stdout + found.stderr
