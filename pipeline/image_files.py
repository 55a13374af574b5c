"""Image files that nobody vouches for, looked at before they are decoded."""

import re
import struct
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from kd_trainer.errors import DataError

# Far more than a camera gives, and some 200 MB when decoded.
MAX_PIXELS = 1 << 26
MAX_BYTES = 1 << 28

_FORMATS = "Expected a PNG, JPEG, GIF or BMP file."
_Sizes = list[tuple[int, int]]


def _png(content: bytes) -> _Sizes:
    return [struct.unpack_from(">II", content, 16)]


def _bmp(content: bytes) -> _Sizes:
    width, height = struct.unpack_from("<ii", content, 18)
    return [(width, abs(height))]  # below 0 where the rows begin at the top


def _jpeg(content: bytes) -> _Sizes:
    height, width, _ = tf.io.extract_jpeg_shape(content).numpy().tolist()
    return [(width, height)]


def _gif(content: bytes) -> _Sizes:
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    sizes, position = [], 13 + _palette_bytes(flags)
    while (block := content[position : position + 1]) in (b"!", b","):
        if block == b",":
            left, top, wide, high, flags = struct.unpack_from("<HHHHB", content, position + 1)
            sizes.append((max(width, left + wide), max(height, top + high)))
            position += 11 + _palette_bytes(flags)
        else:
            position += 2
        while length := struct.unpack_from("B", content, position)[0]:
            position += 1 + length
        position += 1
    return sizes


def _palette_bytes(flags: int) -> int:
    return 3 * 2 ** (flags % 8 + 1) if flags & 0x80 else 0


# Width and height of each frame, by what a file starts with.
_SIZES: dict[bytes, Callable[[bytes], _Sizes]] = {
    b"\x89PNG\r\n\x1a\n": _png,
    b"\xff\xd8\xff": _jpeg,
    b"GIF8": _gif,
    b"BM": _bmp,
}


def read(image: Path) -> bytes:
    """Returns the content of a file that a student can be asked of.

    Raises:
      DataError: it cannot be read, is no image, would fill the memory, or has several frames.
    """
    try:
        with open(image, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # a ValueError: a path with a NUL
        reason = getattr(error, "strerror", error)
        raise DataError(f"{str(image)!r} cannot be read: {reason}.") from None
    if len(content) > MAX_BYTES:
        raise DataError(
            f"{str(image)!r} has more than {MAX_BYTES >> 20} MiB, which no photo has. {_FORMATS}"
        )
    try:
        for start, sizes in _SIZES.items():
            if content.startswith(start):
                _check_frames(image, sizes(content))
        tf.io.decode_image(content, channels=3)  # as the model will, whose reasons are lost
    except (tf.errors.OpError, struct.error) as error:
        message = getattr(error, "message", "it ends before the image does")
        reason = re.sub(r"{{.*?}}|\[Op:.*", "", message).strip().rstrip(".")
        raise DataError(
            f"{str(image)!r} is no image that can be read: {reason}. {_FORMATS}"
        ) from None
    return content


def _check_frames(image: Path, sizes: _Sizes) -> None:
    if len(sizes) > 1:
        raise DataError(
            f"{str(image)!r} has {len(sizes)} frames, expected one image. Save the frame that is "
            "meant as a file of its own."
        )
    for width, height in sizes:
        if width * height > MAX_PIXELS:
            raise DataError(
                f"{str(image)!r} has {width:,} x {height:,} pixels, expected at most "
                f"{MAX_PIXELS:,}. Scale it down: the student sees 32 x 32 of them."
            )
