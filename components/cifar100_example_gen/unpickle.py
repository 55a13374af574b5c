"""Unpickling that can only ever make dicts, lists, numbers, text and uint8 arrays."""

import io
import pickle
from typing import Any

import numpy as np

from kd_trainer.errors import DataError

# Stand-ins, not numpy's own: a pickle may put any state into what it makes, and numpy crashes
# the process on some of it.


class _Uint8:
    """Stands in for `numpy.dtype`: refuses object arrays, and all others but uint8."""

    def __init__(self, code: object, *_: object):
        if code not in ("u1", b"u1"):
            raise pickle.UnpicklingError(f"arrays must be of type 'u1' (uint8), found {code!r}")

    def __setstate__(self, state: object) -> None:
        """Ignores byte order and alignment, which a byte has not."""


class _Array:
    """Stands in for `numpy.ndarray`, and makes an array of its state."""

    value: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, is_fortran, content = state
        if not isinstance(dtype, _Uint8):
            raise pickle.UnpicklingError("an array without a type")
        flat = np.frombuffer(content, np.uint8)
        self.value = flat.reshape(shape, order="F" if is_fortran else "C")


def _reconstruct(*_: object) -> _Array:
    return _Array()


_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Uint8,
}


class _RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            allowed = ", ".join(".".join(key) for key in _ALLOWED)
            raise pickle.UnpicklingError(
                f"refused global {module}.{name}; CIFAR-100 needs only {allowed}"
            ) from None


def unpickle(where: str, content: bytes) -> dict[Any, Any]:
    """Unpickles a member, whether Python 2 or 3 wrote it; text of Python 2 comes out as bytes.

    Args:
        where: the source and member, for the message.
        content: the pickle of a dict.

    Raises:
        DataError: the pickle is broken, is not of a dict, or asks for more than uint8 arrays.
    """
    try:
        value = _RestrictedUnpickler(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # a damaged pickle can raise anything
        raise DataError(
            f"{where}: not a CIFAR-100 pickle: {error or type(error).__name__}. "
            "Use the official archive, or one with its layout."
        ) from error
    if not isinstance(value, dict):
        raise DataError(
            f"{where}: found {type(value).__name__}, expected a dict. "
            "Use the official archive, or one with its layout."
        )
    return {key: item.value if isinstance(item, _Array) else item for key, item in value.items()}
