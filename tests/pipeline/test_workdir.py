import subprocess
import sys

import pytest

from kd_trainer.errors import ConfigError
from pipeline import workdir

pytestmark = pytest.mark.light


def test_a_second_run_is_refused_and_told_who_holds_it(tmp_path):
    code = (
        "import sys, time; from pathlib import Path; from pipeline import workdir\n"
        "with workdir.in_use(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"held\n"
        in_use = rf"in use by another run \(process {holder.pid} on .*, since 20"
        with pytest.raises(ConfigError, match=in_use), workdir.in_use(tmp_path):
            pass
    finally:
        holder.kill()
        holder.wait()
    with workdir.in_use(tmp_path):  # a killed run leaves nothing locked
        pass


def test_released_after_use(tmp_path):
    for _ in range(2):
        with workdir.in_use(tmp_path / "new"):
            pass


def test_unwritable(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be written"):
        workdir.check_writable(tmp_path / "file" / "workdir")
    with pytest.raises(ConfigError, match="--workdir"):
        workdir.check_writable(tmp_path / "file")


def test_checking_leaves_no_trace(tmp_path):
    workdir.check_writable(tmp_path / "a" / "b")
    assert not list(tmp_path.iterdir())
