import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cifar_archives import (
    BINARY,
    PYTHON,
    batch,
    binary_files,
    python_files,
    write_folder,
    write_tar,
)

from components.cifar100_example_gen.reader import inspect, read
from components.cifar100_example_gen.records import is_eval

pytestmark = pytest.mark.light


@pytest.fixture
def reference(tmp_path: Path) -> str:
    return write_tar(tmp_path / "reference.tar", PYTHON, python_files(), "w")


WRAPPINGS = {
    "gz": lambda path: write_tar(path / "a.tar.gz", PYTHON, python_files(), "w:gz"),
    "bz2": lambda path: write_tar(path / "a.tar.bz2", PYTHON, python_files(), "w:bz2"),
    "xz": lambda path: write_tar(path / "a.tar.xz", PYTHON, python_files(), "w:xz"),
    "dotted names": lambda path: write_tar(path / "a.tar", f"./{PYTHON}", python_files(), "w"),
    "folder": lambda path: write_folder(path / "data", PYTHON, python_files()),
    "renamed folder": lambda path: write_folder(path, "data", python_files()),
    "parent folder": lambda path: str(Path(WRAPPINGS["folder"](path)).parent),
    "binary tar": lambda path: write_tar(path / "b.tar.gz", BINARY, binary_files()),
    "binary folder": lambda path: write_folder(path / "data", BINARY, binary_files()),
    "binary parent": lambda path: str(Path(WRAPPINGS["binary folder"](path)).parent),
}


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_same_data_in_any_wrapping(wrapping: str, tmp_path: Path, reference: str) -> None:
    source = WRAPPINGS[wrapping](tmp_path)
    assert inspect(source).fingerprint == inspect(reference).fingerprint
    assert inspect(source).counts == {"train": 12, "test": 5}
    assert inspect(source).layout == (BINARY if "binary" in wrapping else PYTHON)
    for split in ("train", "test"):
        ours, theirs = read(source, split), read(reference, split)
        np.testing.assert_array_equal(ours.images, theirs.images)
        np.testing.assert_array_equal(ours.labels, theirs.labels)
        np.testing.assert_array_equal(ours.coarse_labels, theirs.coarse_labels)
        assert ours.ids == theirs.ids


def test_records_are_what_was_written(reference: str) -> None:
    written, records = batch(12, 1), read(reference, "train")
    assert records.images.dtype == np.uint8
    assert records.images.shape == (12, 32, 32, 3)
    assert records.images.flags.c_contiguous
    assert records.labels.dtype == records.coarse_labels.dtype == np.int64
    assert records.labels.tolist() == written[b"fine_labels"]
    assert records.coarse_labels.tolist() == written[b"coarse_labels"]


def test_images_are_row_column_channel(tmp_path: Path) -> None:
    row, column = np.mgrid[0:32, 0:32].astype(np.uint8)
    planes = np.stack([row, column, np.full_like(row, 200)])  # red: down, green: across
    train = batch(1) | {b"data": planes.reshape(1, 3072)}
    source = write_tar(tmp_path / "a.tar", PYTHON, python_files(train), "w")
    image = read(source, "train").images[0]
    assert image[3, 7].tolist() == [3, 7, 200]
    assert image[31, 0].tolist() == [31, 0, 200]


def test_reads_what_python_2_pickled(tmp_path: Path, reference: str) -> None:
    def as_python_2(records: dict) -> bytes:
        named = {key.decode(): records[key] for key in (b"data", b"fine_labels", b"coarse_labels")}
        # Python 2 wrote the type's name by an opcode that Python 3 reads and never writes.
        return pickle.dumps(named, protocol=3).replace(b"X\x02\x00\x00\x00u1", b"U\x02u1")

    files = python_files(as_python_2(batch(12, 1)), as_python_2(batch(5, 2)))
    source = write_tar(tmp_path / "a.tar", PYTHON, files)
    assert inspect(source).fingerprint == inspect(reference).fingerprint


@pytest.mark.parametrize("module", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_reads_what_either_numpy_pickled(module: bytes, tmp_path: Path, reference: str) -> None:
    def pickled(records: dict) -> bytes:
        content = pickle.dumps(records, protocol=3)
        return re.sub(rb"numpy\._?core\.multiarray", module, content)

    files = python_files(pickled(batch(12, 1)), pickled(batch(5, 2)))
    assert all(module in files[name] for name in ("train", "test"))
    source = write_tar(tmp_path / "a.tar", PYTHON, files)
    assert inspect(source).fingerprint == inspect(reference).fingerprint


def test_fortran_order_reads_alike(tmp_path: Path, reference: str) -> None:
    train = batch(12, 1)
    train[b"data"] = np.asfortranarray(train[b"data"])
    source = write_tar(tmp_path / "a.tar", PYTHON, python_files(train))
    assert inspect(source).fingerprint == inspect(reference).fingerprint


@pytest.mark.parametrize("change", ["pixel", "label", "coarse label"])
def test_other_data_has_another_fingerprint(change: str, tmp_path: Path, reference: str) -> None:
    train = batch(12, 1)
    if change == "pixel":
        train[b"data"][7, 100] ^= 1
    else:
        values = train[b"fine_labels" if change == "label" else b"coarse_labels"]
        values[7] = (values[7] + 1) % 20
    source = write_tar(tmp_path / "a.tar", PYTHON, python_files(train))
    assert inspect(source).fingerprint != inspect(reference).fingerprint


def test_limit_takes_the_first(reference: str) -> None:
    some, every = read(reference, "train", 4), read(reference, "train")
    assert some.ids == every.ids[:4]
    np.testing.assert_array_equal(some.images, every.images[:4])
    assert len(read(reference, "train", 1000)) == 12


def test_ids_are_unique_though_images_repeat(tmp_path: Path) -> None:
    train = batch(6)
    train[b"data"][[2, 5]] = train[b"data"][0]
    source = write_tar(tmp_path / "a.tar", PYTHON, python_files(train))
    ids = read(source, "train").ids
    assert len(set(ids)) == 6
    assert [ids[2], ids[5]] == [f"{ids[0]}-2", f"{ids[0]}-3"]
    assert ids[0].startswith("train-")


def test_eval_takes_about_its_fraction_and_keeps_repeats_together(tmp_path: Path) -> None:
    train = batch(2000)
    train[b"data"][1000:] = train[b"data"][:1000]
    source = write_tar(tmp_path / "a.tar", PYTHON, python_files(train), "w")
    ids = read(source, "train").ids
    held_out = is_eval(ids, 0.2)
    assert 0.16 < held_out.mean() < 0.24
    np.testing.assert_array_equal(held_out[:1000], held_out[1000:])
    np.testing.assert_array_equal(is_eval(ids[:300], 0.2), held_out[:300])
    assert not is_eval(ids, 0).any()
    assert held_out[is_eval(ids, 0.1)].all(), "a larger fraction only adds records"


@pytest.mark.parametrize("fraction", [-0.1, 1, float("nan")])
def test_eval_fraction_out_of_range(fraction: float) -> None:
    with pytest.raises(ValueError, match="eval_fraction"):
        is_eval(["train-0123456789abcdef"], fraction)


def test_the_reader_does_not_import_tensorflow() -> None:
    code = (
        "import sys\n"
        "import components.cifar100_example_gen.download, components.cifar100_example_gen.reader\n"
        "assert not {'tensorflow', 'tfx', 'apache_beam', 'requests'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
