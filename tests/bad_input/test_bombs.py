"""What is made to fill the memory does not."""

import bz2
import gzip
import lzma
import tarfile
import tracemalloc
from pathlib import Path

import bad_archives as archives
import pytest

from components.cifar100_example_gen.reader import load
from kd_trainer.errors import DataError

BOMBS = {
    "gzip": archives.bomb(gzip.compress),
    "bzip2": archives.bomb(bz2.compress),
    "xz": archives.bomb(lzma.compress),
    "name": archives.bomb(gzip.compress, tarfile.GNUTYPE_LONGNAME),
    "pax header": archives.bomb(gzip.compress, tarfile.XHDTYPE),
    "sparse": archives.sparse_bomb,
    "members": archives.many_members,
    "far place in a pickle": archives.members(train=archives.far_memo()),
}


@pytest.mark.parametrize("name", BOMBS)
def test_the_memory_stays_small(name: str, tmp_path: Path) -> None:
    BOMBS[name](tmp_path / "bomb")
    tracemalloc.start()
    try:
        with pytest.raises(DataError):
            load(str(tmp_path / "bomb"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 32 << 20
