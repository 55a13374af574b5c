"""Files of float32 numbers, packed to travel.

Sign and exponent of weights are alike: laid side by side, apart from the other bytes, they
compress, while the weights as they are hardly do.
"""

import zlib

import numpy as np

_WIDTH = 4


def pack(content: bytes) -> bytes:
    """Packs the content of a file."""
    numbers, rest = _split(content)
    return zlib.compress(numbers.reshape(-1, _WIDTH).T.tobytes() + rest, level=1)


def unpack(packed: bytes) -> bytes:
    """Returns what was packed."""
    planes, rest = _split(zlib.decompress(packed))
    return planes.reshape(_WIDTH, -1).T.tobytes() + rest


def _split(content: bytes) -> tuple[np.ndarray, bytes]:
    whole = len(content) - len(content) % _WIDTH
    return np.frombuffer(content, np.uint8, whole), content[whole:]
