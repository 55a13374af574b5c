"""What tests of several folders share."""

import os
from functools import cache
from pathlib import Path

import pytest

from components.cifar100_example_gen import reader
from components.cifar100_example_gen.sample import SAMPLE

OFFICIAL = Path(__file__).parents[2] / "shared" / "data" / "cifar-100-python.tar.gz"


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


def pytest_configure(config):
    """Shares the processors out among xdist's workers.

    Each of TensorFlow's processes has as many threads as it sees processors, and those of several
    processes on the same ones get in each other's way.
    """
    if worker := getattr(config, "workerinput", None):
        number, workers = int(worker["workerid"].removeprefix("gw")), worker["workercount"]
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, processors[number % len(processors) :: workers])


def pytest_collection_modifyitems(items):
    """Files with slow tests come first, whole runs before all: the last ones are short."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, len(item.path.parts)))
