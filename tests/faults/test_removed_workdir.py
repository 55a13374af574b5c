"""A workdir that is removed under the run."""

import pytest
from machine import ended, refused, seen, start

from benchmarks.soak import checks

pytestmark = pytest.mark.slow


def test_it_is_said_and_the_next_run_begins_anew(tmp_path):
    workdir = tmp_path / "workdir"
    run = start(workdir)
    seen(run, "task 1/1")
    # Once: what the run writes from now on may make a folder of that name.
    workdir.rename(tmp_path / "elsewhere")
    refused(*ended(run), "was removed or replaced while the run was at work")
    assert not checks.files_of_versions(workdir)
    status, printed = ended(start(workdir))
    assert status == 0, printed
    assert len(checks.files_of_versions(workdir)) == 1
    assert checks.states(workdir).keys() == {"COMPLETE"}
