"""What tests of several folders share, and how they are shared out."""

import gc
import os
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from components.cifar100_example_gen import reader
from components.cifar100_example_gen.sample import SAMPLE

# As test modules load them, TensorFlow and TFX make over a million objects that stay, and
# TensorFlow prints what it did not find.
gc.disable()
QUIET = pytest.MonkeyPatch()
QUIET.setenv("TF_CPP_MIN_LOG_LEVEL", "3")

OFFICIAL = Path(__file__).parents[2] / "shared" / "data" / "cifar-100-python.tar.gz"
HEAVY = {"keras", "tensorflow", "tfx"}
"""Packages that take seconds to load: no test that is marked `light` does."""


@pytest.fixture(scope="session")
def official_archive():
    """The complete CIFAR-100, where a developer has laid it beside the checkout."""
    if not OFFICIAL.exists():
        pytest.skip("the complete CIFAR-100 is not beside this checkout")
    return OFFICIAL


@pytest.fixture(scope="session", autouse=True)
def sample_unpacked_once():
    """Hundreds of tests read the shipped sample, and unpacking it takes more than a second."""
    read_members = reader.read_members
    of_sample = cache(lambda: read_members(str(SAMPLE)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            reader,
            "read_members",
            lambda source: of_sample() if source == str(SAMPLE) else read_members(source),
        )
        yield


@pytest.fixture(scope="module")
def workdir_of_module(tmp_path_factory):
    """A folder that the tests of a module fill one after the other."""
    return tmp_path_factory.mktemp("workdir")


@pytest.fixture
def workdir(workdir_of_module, capfd, monkeypatch):
    """The module's workdir, to run commands on."""
    from whole_runs import Workdir  # loads TFX

    monkeypatch.setattr(sys, "argv", ["tfx-distill"])  # absl parses it in the executors
    return Workdir(workdir_of_module, capfd)


@pytest.fixture(autouse=True)
def light_tests_stay_light(request):
    """Fails a test of `make check` that has loaded what takes seconds to load."""
    yield
    if request.config.option.markexpr.startswith("light"):
        assert not HEAVY & set(sys.modules)


def pytest_addoption(parser):
    parser.addoption(
        "--turn",
        metavar="K/N",
        help="run the K-th of N parts of the slow tests, from 0; a file's tests stay together",
    )
    parser.addoption(
        "--record",
        action="store_true",
        help="keep what make kubeflow-backend-test sees Kubeflow give to tasks",
    )


def pytest_configure(config):
    """Shares the processors out among xdist's workers.

    Each of TensorFlow's processes has as many threads as it sees processors, and those of several
    processes on the same ones get in each other's way.
    """
    if worker := getattr(config, "workerinput", None):
        number, workers = int(worker["workerid"].removeprefix("gw")), worker["workercount"]
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, processors[number % len(processors) :: workers])


def pytest_collection_modifyitems(config, items):
    """Files with slow tests come first, whole runs before all: the last ones are short."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, len(item.path.parts)))
    if config.option.turn:
        turn, turns = map(int, config.option.turn.split("/"))
        chosen = set(sorted(slow)[turn::turns])
        config.hook.pytest_deselected(items=[item for item in items if item.path not in chosen])
        items[:] = [item for item in items if item.path in chosen]


def pytest_collection_finish():
    """Has Python look for garbage, and the processes that tests start print, from here on."""
    gc.enable()
    QUIET.undo()


def pytest_terminal_summary(terminalreporter, config):
    """Sums the time up by file, where `--durations` asks for the slowest tests."""
    if config.option.durations is None:
        return
    seconds = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[report.nodeid.partition("::")[0]] += report.duration
    terminalreporter.section("seconds by file")
    for file, sum_of_file in seconds.most_common():
        terminalreporter.write_line(f"{sum_of_file:8.1f} {file}")
