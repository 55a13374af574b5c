"""Image files that `predict` must refuse."""

import struct
import zlib
from pathlib import Path

_FILES = Path(__file__).parent / "files"
ANIMATED = (_FILES / "animated.gif").read_bytes()
CMYK = (_FILES / "cmyk.jpg").read_bytes()


def png(width: int, height: int, rows: int | None = None, depth: int = 8, colour: int = 2) -> bytes:
    """A black PNG; with fewer `rows` than its height it is cut short."""
    row = bytes(1 + width * 3) if rows is None or rows else b""
    data = zlib.compress(row * (height if rows is None else rows))
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + name
        + content
        + struct.pack(">I", zlib.crc32(name + content))
        for name, content in chunks
    )


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
