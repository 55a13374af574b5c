import json
import subprocess
from pathlib import Path

import pytest
from cifar_archives import BINARY, PYTHON, binary_files, python_files, write_folder, write_tar

from components.cifar100_example_gen.checksum import archive_md5
from components.cifar100_example_gen.sample import SAMPLE

pytestmark = pytest.mark.light


def md5sum(path: Path | str) -> str:
    return subprocess.run(
        ["md5sum", str(path)],
        capture_output=True,
        text=True,
        check=True,
        encoding="utf-8",
    ).stdout.split()[0]


def test_an_archive_has_the_md5_of_its_file(tmp_path: Path) -> None:
    assert archive_md5(str(SAMPLE)) == md5sum(SAMPLE)
    source = write_tar(tmp_path / "a.tar", PYTHON, python_files())
    assert archive_md5(source) == md5sum(source)


def test_a_folder_has_the_md5_of_each_member(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, BINARY, binary_files())
    (tmp_path / BINARY / "readme.txt").write_text("not a member", encoding="utf-8")
    expected = {f"{BINARY}/{name}": md5sum(Path(folder, name)) for name in binary_files()}
    for source in (folder, str(tmp_path)):
        assert json.loads(archive_md5(source)) == expected
