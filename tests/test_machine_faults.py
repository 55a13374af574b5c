"""What the machine does to a run: each ends in a clear error, and the next start goes on."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.soak import checks

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SMALL = {
    "data.limit": 200,
    "teacher.network": "resnet8",
    "recipe.epochs": 1,
    "teacher.recipe": "{epochs: 1}",
    "gate.min_accuracy": 0,
    "gate.min_change": -1,
}


def start(workdir):
    """Starts a run; both its outputs are read as one."""
    sets = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", "run", "--workdir", str(workdir), *sets],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(workdir):
    process = start(workdir)
    printed, _ = process.communicate()
    return process.returncode, printed


@pytest.fixture
def small_disk(tmp_path):
    """A disk that has no room for a run, and what makes it larger."""

    def mount(*words):
        return subprocess.run(["mount", *words, tmp_path], capture_output=True, text=True)

    mounted = mount("-t", "tmpfs", "-o", "size=3m", "none")
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted: {mounted.stderr.strip()}")
    yield tmp_path, lambda: mount("-o", "remount,size=300m")
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


def test_a_full_disk(small_disk):
    disk, enlarge = small_disk
    status, printed = run(disk / "workdir")
    assert status == 1, printed
    assert "The disk is full. Make room." in printed
    assert "Traceback" not in printed
    assert not checks.files_of_versions(disk / "workdir")
    assert enlarge().returncode == 0
    status, printed = run(disk / "workdir")
    assert status == 0, printed
    assert len(checks.files_of_versions(disk / "workdir")) == 1
    assert not checks.left(disk / "workdir")


def test_a_workdir_that_is_removed_under_the_run(tmp_path):
    workdir = tmp_path / "workdir"
    with start(workdir) as process:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "task 1/1" in line and workdir.exists():
                workdir.rename(tmp_path / "elsewhere")
    printed = "".join(lines)
    assert process.returncode == 1, printed
    assert "was removed or replaced while the run was at work" in printed
    assert "Traceback" not in printed
    assert not checks.files_of_versions(workdir)
