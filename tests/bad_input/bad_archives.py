"""Archives that a run must refuse, each made by a function of the file to write."""

import io
import os
import pickle
import random
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cifar_archives import (
    BINARY,
    PYTHON,
    batch,
    binary_files,
    python_files,
    write_folder,
    write_tar,
)

from components.cifar100_example_gen.sample import SAMPLE

Make = Callable[[Path], object]

_MODES = ("w:gz", "w:bz2", "w:xz", "w")


def holding(content: bytes) -> Make:
    return lambda path: path.write_bytes(content)


def members(**replaced: Any) -> Make:
    """An archive some of whose members are others: a dict to pickle, bytes, or None for none."""

    def make(path: Path) -> None:
        files = python_files(**{name: what for name, what in replaced.items() if what is not None})
        kept = {name: what for name, what in files.items() if replaced.get(name, what) is not None}
        write_tar(path, PYTHON, kept)

    return make


def train(**changed: Any) -> Make:
    """An archive whose `train` holds two records with other fields."""
    return members(train=batch(2) | {name.encode(): value for name, value in changed.items()})


def test(**changed: Any) -> Make:
    """An archive whose `test` holds two records with other fields."""
    return members(test=batch(2) | {name.encode(): value for name, value in changed.items()})


def binary(**replaced: bytes) -> Make:
    """A folder of the binary layout, some of whose files, `_` for the dot, hold something else."""
    files = {
        name.replace("_bin", ".bin").replace("_txt", ".txt"): replaced[name] for name in replaced
    }

    def make(path: Path) -> None:
        write_folder(path, BINARY, binary_files() | files)

    return make


def layout(name: str) -> Make:
    return lambda path: write_tar(path, name, python_files())


def cut(number: int) -> Make:
    """An archive that ends too early, at an offset that the number decides."""

    def make(path: Path) -> None:
        mode, rng = _MODES[number % len(_MODES)], random.Random(number)
        write_tar(path, PYTHON, python_files(batch(20), batch(20)), mode)
        content = path.read_bytes()
        # The last blocks of a tar are padding, which readers do not miss.
        end = len(content) if mode != "w" else sum(map(len, python_files(batch(20)).values()))
        path.write_bytes(content[: rng.randrange(1, end)])

    return make


def flipped(number: int) -> Make:
    """A compressed archive with one bit the other way."""

    def make(path: Path) -> None:
        mode, rng = _MODES[number % 3], random.Random(number)
        write_tar(path, PYTHON, python_files(batch(20), batch(20)), mode)
        content = bytearray(path.read_bytes())
        # Before it, gzip keeps a time that nobody reads; after it, padding.
        content[rng.randrange(10, len(content) - 40)] ^= 1 << rng.randrange(8)
        path.write_bytes(content)

    return make


def changed_sample(path: Path) -> None:
    """The repository's sample with one pixel changed."""
    with tarfile.open(SAMPLE) as tar:
        files = {
            name: bytearray(tar.extractfile(f"{PYTHON}/{name}").read())
            for name in ("train", "test", "meta")
        }
    files["test"][100_000] ^= 1
    write_tar(path, PYTHON, files, "w")


def bomb(compress: Callable[[bytes], bytes], kind: bytes = tarfile.REGTYPE) -> Make:
    """A small archive, one of whose members unpacks to 600 MiB."""

    def make(path: Path) -> None:
        entry = tarfile.TarInfo(f"{PYTHON}/train")
        entry.size, entry.type = 600 << 20, kind
        # What is compressed piece by piece unpacks to all of them.
        pieces = [compress(entry.tobuf(tarfile.GNU_FORMAT)), compress(bytes(1 << 20)) * 600]
        path.write_bytes(b"".join(pieces))

    return make


def sparse_bomb(path: Path) -> None:
    """A sparse member: 8 TiB, of which nothing is in the archive."""
    header = tarfile.TarInfo(f"{PYTHON}/train")
    header.type = tarfile.GNUTYPE_SPARSE
    block = bytearray(header.tobuf(tarfile.GNU_FORMAT))
    block[483:495] = b"\x80" + (8 << 40).to_bytes(11, "big")  # the real size
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    path.write_bytes(bytes(block) + bytes(1024))


def many_members(path: Path) -> None:
    with tarfile.open(path, "w:gz") as tar:
        for number in range(2_000):
            tar.addfile(tarfile.TarInfo(f"{PYTHON}/{number}"))


def long_names_in_long_names(path: Path) -> None:
    """Headers each of which says that the next one goes on: `tarfile` reads them recursively."""
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = tarfile.GNUTYPE_LONGNAME, 1
    path.write_bytes((header.tobuf(tarfile.GNU_FORMAT) + b"a".ljust(512, b"\0")) * 3_000)


def link(kind: bytes) -> Make:
    """An archive whose `train` is a link to a file outside that would do."""

    def make(path: Path) -> None:
        files = python_files()
        outside = path.with_name("outside")
        outside.write_bytes(files.pop("train"))
        write_tar(path, PYTHON, files, "w")
        with tarfile.open(path, "a") as tar:
            entry = tarfile.TarInfo(f"{PYTHON}/train")
            entry.type, entry.linkname = kind, str(outside)
            tar.addfile(entry)

    return make


def outside(name: str) -> Make:
    """An archive with a member of that name, which unpacking would write outside of the folder."""

    def make(path: Path) -> None:
        with tarfile.open(path, "w") as tar:
            entry = tarfile.TarInfo(name)
            entry.size = 5
            tar.addfile(entry, io.BytesIO(b"owned"))

    return make


class _Runs:
    def __init__(self, function: Callable, *arguments: Any):
        self.made_by = function, arguments

    def __reduce__(self) -> tuple:
        return self.made_by


def code(function: Callable, *arguments: Any) -> Make:
    """An archive whose `train` calls a function when it is unpickled."""
    return train(filenames=_Runs(function, *arguments))


def marks_in_folder(path: Path) -> None:
    """An archive whose `train` would make a file beside it."""
    code(os.system, f"touch {path.with_name('owned')}")(path)


def nested_key() -> bytes:
    """A pickle with a key whose hash would take longer than the universe lasts."""
    key = b")"  # the empty tuple
    for number in range(30):
        # Kept in the memo, and taken from it ten times, for a tuple of these.
        key += b"q" + bytes([number]) + b"0(" + (b"h" + bytes([number])) * 10 + b"t"
    return pickle.PROTO + b"\x02}" + key + b"Ns."


def far_memo() -> bytes:
    """A pickle that keeps something at the place four thousand millions."""
    return pickle.PROTO + b"\x02Nr\xff\xff\xff\xff."


def many_lists() -> bytes:
    """A pickle each byte of which makes an object."""
    return pickle.PROTO + b"\x02(" + b"]" * 3_000_000 + b"l."
