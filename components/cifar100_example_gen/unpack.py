"""Takes files out of a tar archive that nobody vouches for."""

import bz2
import gzip
import lzma
import posixpath
import tarfile
from collections.abc import Callable, Set
from pathlib import Path
from typing import IO, Any

from kd_trainer.errors import DataError

# CIFAR-100 is 178 MiB in 5 members: what is far beyond is no data, it is meant to fill memory.
MAX_BYTES = 1 << 29
MAX_MEMBERS = 1_000

_CHUNK_BYTES = 1 << 20
_ABOUT_THE_NEXT = (
    *(tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE),
    *(tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK),
)
_COMPRESSIONS: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
}


class _Member(tarfile.TarInfo):
    """A member; one that holds the name of the next one, or more about it, has to be small."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Member":
        member = super().frombuf(buf, encoding, errors)
        if member.type in _ABOUT_THE_NEXT and member.size > _CHUNK_BYTES:
            raise tarfile.ReadError(f"a name or header of {member.size:,} bytes")
        return member


class _Bounded:
    """A stream that ends in an error where it is longer than a CIFAR-100 can be."""

    def __init__(self, stream: IO[bytes], where: str):
        self._stream, self._where, self.bytes = stream, where, 0

    def read(self, size: int) -> bytes:
        content = self._stream.read(size)
        self.bytes += len(content)
        check_size(self._where, self.bytes)
        return content


def check_size(where: str, found: int) -> None:
    """Checks that what a source holds can be CIFAR-100, before it is in memory.

    Args:
        where: the source, for the message.
        found: bytes, unpacked.

    Raises:
        DataError: they are too many.
    """
    if found > MAX_BYTES:
        raise DataError(
            f"{where}: holds more than {MAX_BYTES >> 20} MiB when unpacked, CIFAR-100 has 178: "
            "this is other data, or an archive made to fill the memory. Use the official archive, "
            "or one with its layout."
        )


def unpack(path: Path, wanted: Set[str]) -> tuple[list[str], dict[str, bytes]]:
    """Reads an archive, of any compression, once from its beginning to its end.

    Nothing is written to disk, and no link in the archive is followed.

    Args:
        path: the archive.
        wanted: the names of those members, regular files, whose content is to be had.

    Returns:
        The names of all members, and the content of those wanted.

    Raises:
        DataError: it unpacks to more than CIFAR-100 can be.
        Exception: the archive is damaged; decompressors and `tarfile` raise many types.
    """
    where = str(path)
    names, content, unpacked = [], {}, 0
    with open(path, "rb") as file:
        stream: Any = _Bounded(_decompressed(file), where)
        with tarfile.open(fileobj=stream, mode="r|", bufsize=_CHUNK_BYTES, tarinfo=_Member) as tar:
            for member in tar:
                name = posixpath.normpath(member.name)
                names.append(name)
                if len(names) > MAX_MEMBERS:
                    raise DataError(
                        f"{where}: holds more than {MAX_MEMBERS:,} members, CIFAR-100 has 5. Use "
                        "the official archive, or one with its layout."
                    )
                # Of a sparse member, what is not in the stream either.
                unpacked += member.size
                check_size(where, unpacked)
                if name in wanted and member.isreg():
                    # Links are passed over above, so there is always a file to extract.
                    content[name] = tar.extractfile(member).read()  # type: ignore[union-attr]
            # A tar ends before its file does, and gzip's checksum stands at the end of that.
            while stream.read(_CHUNK_BYTES):
                pass
    if stream.bytes % tarfile.BLOCKSIZE:
        raise tarfile.ReadError("unexpected end of data")  # which it overlooks in a header
    return names, content


def _decompressed(file: IO[bytes]) -> IO[bytes]:
    start = file.read(max(map(len, _COMPRESSIONS)))
    file.seek(0)
    opened = [open_ for magic, open_ in _COMPRESSIONS.items() if start.startswith(magic)]
    return opened[0](file) if opened else file
