"""The archive reader on Atheris's corpus, and on a few seconds' more of its making."""

import resource
import shutil
import subprocess
import sys
from pathlib import Path

import archive_target
import pytest

pytestmark = pytest.mark.light

HERE = Path(__file__).parent
CORPUS = HERE / "corpus" / "archive"


@pytest.mark.parametrize("file", sorted(CORPUS.iterdir()), ids=lambda file: file.name)
def test_the_corpus(file: Path) -> None:
    archive_target.read(file.read_bytes())


@pytest.mark.slow
def test_a_bounded_run(tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.mkdir()
    corpus = shutil.copytree(CORPUS, tmp_path / "corpus")
    # libFuzzer takes the memory of the process that started it for its own: another bound on it.
    bounds = [
        *("-runs=3000", "-seed=8", "-max_total_time=60", "-rss_limit_mb=0"),
        f"-artifact_prefix={tmp_path}/",
    ]
    command = [sys.executable, str(HERE / "fuzz_archive.py"), *bounds, str(new), str(corpus)]
    ran = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (2 << 30, 2 << 30)),
        encoding="utf-8",
    )
    assert ran.returncode == 0, ran.stderr[-4000:]
    assert "DONE" in ran.stderr
