"""What a user is told about data that will not do."""

import os
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
from cifar_archives import (
    BINARY,
    PYTHON,
    batch,
    binary_files,
    meta,
    python_files,
    write_folder,
    write_tar,
)

from components.cifar100_example_gen.reader import inspect
from components.cifar100_example_gen.sample import SAMPLE
from kd_trainer.errors import DataError


def refused(source: str, *parts: str) -> None:
    """Checks that the source is refused by a message with all of the parts, and the path."""
    with pytest.raises(DataError) as error:
        inspect(source)
    for part in (source, *parts):
        assert part in str(error.value)


def test_missing_path(tmp_path: Path) -> None:
    refused(str(tmp_path / "none.tar.gz"), "no such file")


def test_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.touch()
    refused(str(path), "empty file")


def test_no_archive(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(b"<html>not found</html>")
    refused(str(path), "cannot be read")


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("cut", [0.02, 0.5, 0.9])
def test_truncated_archive(mode: str, cut: float, tmp_path: Path) -> None:
    path = Path(write_tar(tmp_path / "a.tar", PYTHON, python_files(batch(50), batch(50)), mode))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * cut)])
    refused(str(path))


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz"])
def test_corrupt_archive(mode: str, tmp_path: Path) -> None:
    path = Path(write_tar(tmp_path / "a.tar", PYTHON, python_files(), mode))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(64)
    path.write_bytes(content)
    refused(str(path))


def test_wrong_member_names(tmp_path: Path) -> None:
    source = write_tar(tmp_path / "a.tar", "cifar-10-python", python_files())
    refused(source, "wrong member names", "cifar-10-python/train", f"{PYTHON}/train")
    files = python_files()
    del files["test"]
    refused(write_tar(tmp_path / "b.tar", PYTHON, files), "wrong member names", f"{PYTHON}/test")
    refused(write_folder(tmp_path, "data", files), "wrong member names", "train", f"{PYTHON}/test")


def test_links_are_not_followed(tmp_path: Path) -> None:
    files = python_files()
    secret = tmp_path / "train"
    secret.write_bytes(files.pop("train"))
    source = write_tar(tmp_path / "a.tar", PYTHON, files, "w")
    with tarfile.open(source, "a") as tar:
        link = tarfile.TarInfo(f"{PYTHON}/train")
        link.type, link.linkname = tarfile.SYMTYPE, str(secret)
        tar.addfile(link)
    refused(source, "wrong member names", "regular files")


def test_wrong_hash(tmp_path: Path) -> None:
    with tarfile.open(SAMPLE) as tar:
        files = {
            name: bytearray(tar.extractfile(f"{PYTHON}/{name}").read())
            for name in ("train", "test", "meta")
        }
    files["test"][100_000] ^= 1
    source = write_tar(tmp_path / "a.tar", PYTHON, files, "w")
    refused(source, "member 'test'", "wrong hash", "md5", "77f953358a36517ae2a51a7c5f2ce16f")


def test_pickle_that_runs_code(tmp_path: Path) -> None:
    class Payload:
        def __reduce__(self) -> tuple:
            return os.system, (f"touch {tmp_path}/run",)

    files = python_files(train=batch(2) | {b"filenames": Payload()})
    source = write_tar(tmp_path / "a.tar", PYTHON, files)
    refused(source, "member 'train'", "refused global posix.system")
    assert not (tmp_path / "run").exists()


def test_object_array(tmp_path: Path) -> None:
    files = python_files(train=batch(2) | {b"data": np.array([[1, "a"]], dtype=object)})
    refused(write_tar(tmp_path / "a.tar", PYTHON, files), "member 'train'", "uint8", "'O8'")


def test_broken_pickle(tmp_path: Path) -> None:
    files = python_files()
    files["test"] = files["test"][:-100]
    refused(write_tar(tmp_path / "a.tar", PYTHON, files), "member 'test'", "not a CIFAR-100 pickle")


def swap(names: list) -> list:
    return [names[1], names[0], *names[2:]]


BAD_MEMBERS = {
    "not a dict": ({"train": pickle.dumps([1])}, ["'train'", "found list", "expected a dict"]),
    "key missing": ({"train": pickle.dumps({"data": 1})}, ["'train'", "coarse_labels", "missing"]),
    "no array": ({"test": batch(2) | {b"data": [1]}}, ["'test'", "found list"]),
    "shape": (
        {"test": batch(2) | {b"data": np.zeros((2, 3073), np.uint8)}},
        ["'test'", "(2, 3073)", "(N, 3072)"],
    ),
    "dtype": ({"train": batch(2) | {b"data": np.zeros((2, 3072))}}, ["'train'", "uint8", "'f8'"]),
    "lengths": (
        {"train": batch(3) | {b"fine_labels": [1, 2]}},
        ["'train'", "3 images", "2 labels", "3 coarse labels"],
    ),
    "label": (
        {"train": batch(2) | {b"fine_labels": [1, 100]}},
        ["'train'", "1 to 100", "0 to 99"],
    ),
    "huge label": ({"train": batch(2) | {b"fine_labels": [1, 10**30]}}, ["'train'", "0 to 99"]),
    "coarse label": (
        {"test": batch(2) | {b"coarse_labels": [-1, 3]}},
        ["'test'", "coarse labels", "-1 to 3", "0 to 19"],
    ),
    "no integers": ({"test": batch(2) | {b"fine_labels": [1.5, 2]}}, ["'test'", "integers"]),
    "no records": ({"train": batch(0)}, ["'train'", "no records"]),
    "names": (
        {"meta": meta() | {b"fine_label_names": swap(meta()[b"fine_label_names"])}},
        ["'meta'", "fine_label_names", "found aquarium_fish, expected apple"],
    ),
    "too few names": (
        {"meta": meta() | {b"coarse_label_names": meta()[b"coarse_label_names"][:3]}},
        ["'meta'", "coarse_label_names", "3 names", "20"],
    ),
}


@pytest.mark.parametrize("case", BAD_MEMBERS)
def test_bad_member(case: str, tmp_path: Path) -> None:
    members, parts = BAD_MEMBERS[case]
    refused(write_tar(tmp_path / "a.tar", PYTHON, python_files(**members)), *parts)


BAD_BINARIES = {
    "size": ("train.bin", bytes(3075), ["3,075 bytes", "3,074"]),
    "no records": ("test.bin", b"", ["no records"]),
    "label": ("train.bin", bytes([3, 100]) + bytes(3072), ["100", "0 to 99"]),
    "coarse label": ("train.bin", bytes([20, 1]) + bytes(3072), ["20", "0 to 19"]),
    "names": ("fine_label_names.txt", b"cat\ndog\n", ["found cat, expected apple"]),
}


@pytest.mark.parametrize("case", BAD_BINARIES)
def test_bad_binary_member(case: str, tmp_path: Path) -> None:
    name, content, parts = BAD_BINARIES[case]
    source = write_folder(tmp_path, BINARY, binary_files() | {name: content})
    refused(source, f"member {name!r}", *parts)
