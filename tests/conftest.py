"""What tests of several folders share."""

from pathlib import Path

import pytest

OFFICIAL = Path(__file__).parents[2] / "shared" / "data" / "cifar-100-python.tar.gz"


@pytest.fixture(scope="session")
def official_archive():
    """The complete CIFAR-100, where a developer has laid it beside the checkout."""
    if not OFFICIAL.exists():
        pytest.skip("the complete CIFAR-100 is not beside this checkout")
    return OFFICIAL


def pytest_collection_modifyitems(items):
    """Files with slow tests come first: the last minutes are then for both cores."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
