"""Rows on disk: appended, found again, bounded, whole."""

import errno
import os

import numpy as np
import pytest

from kd_trainer.errors import DataError
from kd_trainer.kept_rows import KeptRows

pytestmark = pytest.mark.light

NUMBERS, WIDTH = 100, 3


def kept(folder, most=NUMBERS):
    return KeptRows(folder, NUMBERS, WIDTH, most)


def rows(*numbers):
    return np.array([[number, number / 3, -number] for number in numbers], "float32")


def add(store, *numbers):
    store.add(np.array(numbers), rows(*numbers))


def test_what_was_added_is_found_again(tmp_path):
    store = kept(tmp_path)
    add(store, 7, 3)
    add(store, 99)
    store.close()
    store = kept(tmp_path)
    assert store.has(np.array([3, 4, 7, 99])).tolist() == [True, False, True, True]
    np.testing.assert_array_equal(store[np.array([99, 7])], rows(99, 7))
    assert store.count == 3
    assert (tmp_path / "rows").stat().st_size >= store.bytes == 3 * WIDTH * 4


def test_a_closed_file_is_no_longer_than_its_rows(tmp_path):
    store = kept(tmp_path)
    add(store, 1, 2)
    store.close()
    assert (tmp_path / "rows").stat().st_size == 2 * WIDTH * 4


def test_a_killed_process_leaves_what_was_committed(tmp_path):
    store = kept(tmp_path)
    add(store, 1)
    store.commit()
    add(store, 2)  # and then it is killed
    store = kept(tmp_path)
    assert store.has(np.array([1, 2])).tolist() == [True, False]
    add(store, 5)
    np.testing.assert_array_equal(store[np.array([1, 5])], rows(1, 5))


def test_no_more_are_kept_than_may_be(tmp_path):
    store = kept(tmp_path, most=3)
    add(store, 0, 1)
    assert not store.refused
    add(store, 2, 3)
    assert store.refused
    assert store.has(np.arange(4)).tolist() == [True, True, True, False]
    store.close()
    fewer = kept(tmp_path, most=1)
    add(fewer, 4)
    np.testing.assert_array_equal(fewer[np.arange(3)], rows(0, 1, 2))


def test_a_full_disk_ends_the_keeping_and_nothing_else(tmp_path, monkeypatch):
    store = kept(tmp_path)
    add(store, 1)

    def full(*given):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    add(store, 2)
    assert store.disk_full
    monkeypatch.undo()
    add(store, 3)
    assert store.has(np.array([1, 2, 3])).tolist() == [True, False, False]
    store.close()
    np.testing.assert_array_equal(kept(tmp_path)[np.array([1])], rows(1))


@pytest.mark.parametrize("left", [0, 20])
def test_rows_that_were_cut_off_are_not_read_as_zeros(left, tmp_path):
    store = kept(tmp_path)
    add(store, 1, 2)
    store.close()
    os.truncate(tmp_path / "rows", left)
    with pytest.raises(DataError, match=f"rows has {left} bytes.* 24: .*Delete the folder"):
        kept(tmp_path)


def test_another_fault_is_not_swallowed(tmp_path, monkeypatch):
    store = kept(tmp_path)

    def fault(*given):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "pwrite", fault)
    with pytest.raises(OSError, match="Input/output"):
        add(store, 2)
