"""The archive reader on what Hypothesis makes up; findings stay as examples."""

import bz2
import gzip
import io
import lzma
import pickle
import tarfile
from typing import Any

import pytest
from archive_target import read
from cifar_archives import PYTHON, batch, python_files
from hypothesis import example, given, settings
from hypothesis import strategies as st

quickly = settings(max_examples=150, deadline=None, derandomize=True, database=None)

_COMPRESSIONS = st.sampled_from([bytes, gzip.compress, bz2.compress, lzma.compress])
_GOOD = python_files(batch(1, 1), batch(1, 2))
# What a pickle may hold, as deep as Hypothesis likes.
_OBJECTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
)
_KEYS = st.sampled_from([b"data", b"fine_labels", b"coarse_labels", "data", "more"])
_OPCODES = st.sampled_from(
    [
        *(bytes([code]) for code in range(256)),
        *(b"\x80\x02", b"\x80\x04\x95", b"K\x01", b"U\x04data", b"X\x04\0\0\0data", b"q\0", b"h\0"),
        *(b"cnumpy\ndtype\n", b"cnumpy\nndarray\n", b"cnumpy.core.multiarray\n_reconstruct\n"),
        *(b"cos\nsystem\n", b"U\x02u1K\0K\x01\x87R", b"r\xff\xff\xff\x7f", b"\x8e" + b"\xff" * 8),
    ]
)


def archive(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(f"{PYTHON}/{name}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return content.getvalue()


_ARCHIVE = archive(_GOOD)


@quickly
@given(st.binary(max_size=2000), _COMPRESSIONS)
@example(b"", gzip.compress)
@example(tarfile.TarInfo("a").tobuf()[:300], bytes)
def test_bytes(content: bytes, compress: Any) -> None:
    read(compress(content))


@quickly
@given(
    st.lists(st.tuples(st.integers(0, len(_ARCHIVE) - 1), st.integers(0, 255)), max_size=8),
    st.integers(0, len(_ARCHIVE)),
    _COMPRESSIONS,
)
def test_an_archive_with_other_bytes(
    edits: list[tuple[int, int]], length: int, compress: Any
) -> None:
    content = bytearray(_ARCHIVE)
    for position, byte in edits:
        content[position] = byte
    read(compress(bytes(content[:length])))


@quickly
@given(st.binary(min_size=512, max_size=512), st.sampled_from(b"015LKxgSV7"))
def test_any_header(header: bytes, kind: int) -> None:
    block = bytearray(header)
    block[156] = kind
    block[148:156] = b" " * 8  # where the checksum stands, which is right
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    read(bytes(block) + _ARCHIVE)


@pytest.mark.slow
@quickly
@given(st.sampled_from(sorted(_GOOD)), _OBJECTS, st.integers(0, 5))
def test_any_object_as_a_member(member: str, value: Any, protocol: int) -> None:
    read(archive(_GOOD | {member: pickle.dumps(value, protocol)}))


@pytest.mark.slow
@quickly
@given(st.dictionaries(_KEYS, _OBJECTS), st.sampled_from(["train", "test"]))
def test_any_fields(fields: dict, split: str) -> None:
    read(archive(_GOOD | {split: pickle.dumps(batch(1) | fields)}))


@quickly
@given(st.sampled_from(sorted(_GOOD)), st.lists(_OPCODES, max_size=40).map(b"".join))
@example("train", b"\x80\x02" + b"cnumpy.core.multiarray\n_reconstruct\n" + b"}b.")
def test_any_pickle(member: str, opcodes: bytes) -> None:
    read(archive(_GOOD | {member: opcodes}))
