from itertools import pairwise
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

from components.cifar100_example_gen import output
from components.cifar100_example_gen.decode import RECORD_BYTES
from components.cifar100_example_gen.parts import Part, parts
from components.cifar100_example_gen.reader import load
from kd_trainer.errors import DataError

pytestmark = pytest.mark.light


def parts_of(source: str, eval_fraction: float = 0.5) -> list[Part]:
    summary, official = load(source)
    splits = output.output_splits(official, eval_fraction, None)
    return parts(source, summary.layout, official, splits, eval_fraction)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(output, "SHARD_RECORDS", 10)
    return Path(write_folder(tmp_path, BINARY, binary_files(batch(40), batch(25, 1))))


@pytest.mark.parametrize("parent", [False, True])
def test_a_part_is_the_range_that_a_file_is_of(folder: Path, parent: bool) -> None:
    found = parts_of(str(folder.parent if parent else folder))
    assert [(part.start, part.stop) for part in found if part.split == "test"] == [
        (0, 10),
        (10, 20),
        (20, 25),
    ]
    train = [part for part in found if part.split == "train"]
    assert all(a.stop <= b.start for a, b in pairwise(train))
    assert {part.source for part in train} == {str(folder / "train.bin")}
    ids = [id_ for part in found if part.split != "test" for id_ in part.read().ids]
    assert sorted(ids) == sorted(load(str(folder))[1]["train"].ids)


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_tar(path / "a.tar", BINARY, binary_files(), "w"),
        lambda path: write_folder(path, PYTHON, python_files()),
    ],
)
def test_what_has_to_be_read_whole_has_no_parts(write, tmp_path: Path) -> None:
    assert parts_of(write(tmp_path)) == []


@pytest.mark.parametrize(
    ("place", "value"),
    [("label", 0), ("label", 1), ("pixel", 2), ("label out of range", 0)],
)
def test_records_that_changed_are_refused(folder: Path, place: str, value: int) -> None:
    first, *_, last = [part for part in parts_of(str(folder)) if part.split == "test"]
    file = folder / "test.bin"
    content = np.fromfile(file, np.uint8)
    content[value] = 255 if place == "label out of range" else (content[value] + 1) % 20
    content.tofile(file)
    with pytest.raises(DataError, match=r"test\.bin: (the data changed|.*out of range)"):
        first.read()
    assert len(last.read()) == 5  # which are as they were


def test_a_file_that_was_cut_is_refused(folder: Path) -> None:
    *_, last = parts_of(str(folder))
    with open(folder / "test.bin", "r+b") as file:
        file.truncate(25 * RECORD_BYTES - 1)
    with pytest.raises(DataError, match=r"test\.bin: the data changed"):
        last.read()
