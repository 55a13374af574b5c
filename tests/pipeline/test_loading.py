import gc
import subprocess
import sys

import pytest

from pipeline import loading

pytestmark = pytest.mark.light


@pytest.fixture(params=[True, False])
def collecting(request):
    """Whether garbage is looked for."""
    before = gc.isenabled()
    (gc.enable if request.param else gc.disable)()
    yield request.param
    (gc.enable if before else gc.disable)()


def test_no_garbage_is_looked_for_meanwhile_and_afterwards_as_before(collecting):
    with loading.uncollected():
        assert not gc.isenabled()
    assert gc.isenabled() == collecting


def test_what_cannot_be_loaded_leaves_all_as_it_was(collecting):
    with pytest.raises(ModuleNotFoundError), loading.silently():
        import no_such_library  # noqa: F401
    assert gc.isenabled() == collecting


def test_what_libraries_print_is_dropped():
    code = """
import os
from pipeline import loading
with loading.silently():
    print("python")
    os.write(2, b"native\\n")
print("after")
"""
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    )
    assert (result.stdout, result.stderr) == ("after\n", "")
