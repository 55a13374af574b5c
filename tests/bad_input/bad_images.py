"""Image files that `predict` must refuse."""

import struct
import zlib
from pathlib import Path

_FILES = Path(__file__).parent / "files"
ANIMATED = (_FILES / "animated.gif").read_bytes()
CMYK = (_FILES / "cmyk.jpg").read_bytes()


def png(width: int, height: int, rows: int | None = None, depth: int = 8, colour: int = 2) -> bytes:
    """A black PNG; with fewer `rows` than its height it is cut short."""
    data = _deflated_zeros((1 + width * 3) * (height if rows is None else rows))
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


def _deflated_zeros(count: int) -> bytes:
    """Returns what zlib makes of zeros, of gigabytes at once: a block is compressed, and repeated.

    The state of zlib is the same after each full flush (RFC 1951), and the checksum of zeros is
    1 and their number (RFC 1950).
    """
    size = 1 << 20
    block = zlib.compressobj(wbits=-15)
    repeated = block.compress(bytes(size)) + block.flush(zlib.Z_FULL_FLUSH)
    end = zlib.compressobj(wbits=-15)
    rest = end.compress(bytes(count % size)) + end.flush()
    checksum = struct.pack(">HH", count % 65521, 1)
    return b"\x78\x9c" + repeated * (count // size) + rest + checksum


def gif(width: int, height: int, frames: int = 1) -> bytes:
    """A GIF whose frames have no pixels."""
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    frame = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x4c\x01\x00"
    return head + frame * frames + b";"


def bmp(width: int, height: int) -> bytes:
    """A BMP without its pixels."""
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 54 + len(info), 0, 0, 54) + info


def jpeg(width: int, height: int) -> bytes:
    """A JPEG that says that it has so many pixels; one of 65,500 x 65,500 fits into 700 bytes."""
    position = CMYK.index(b"\xff\xc0")
    return CMYK[: position + 5] + struct.pack(">HH", height, width) + CMYK[position + 9 :]
