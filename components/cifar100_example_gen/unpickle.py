"""Unpickling that can only ever make dicts, lists, numbers, text and uint8 arrays."""

import io
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from kd_trainer.errors import DataError

# Stand-ins, not numpy's own: a pickle may put any state into what it makes, and numpy crashes
# the process on some of it. Classes, not functions: a pickle may set a function's attributes.


class _Uint8:
    """Stands in for `numpy.dtype`: refuses object arrays, and all others but uint8."""

    def __init__(self, code: object, *_: object):
        if code not in ("u1", b"u1"):
            found = repr(code) if isinstance(code, str | bytes) else type(code).__name__
            raise pickle.UnpicklingError(f"arrays must be of type 'u1' (uint8), found {found:.50}")

    def __setstate__(self, state: object) -> None:
        """Ignores byte order and alignment, which a byte has not."""


class _Array:
    """Stands in for `numpy.ndarray` and what makes one, and makes an array of its state."""

    value: np.ndarray | None = None

    def __init__(self, *_: object):
        pass

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, is_fortran, content = state
        if not isinstance(dtype, _Uint8):
            raise pickle.UnpicklingError("an array without a type")
        flat = np.frombuffer(content, np.uint8)
        self.value = flat.reshape(shape, order="F" if is_fortran else "C")


_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy._core.multiarray", "_reconstruct"): _Array,  # as NumPy 2 writes it
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Uint8,
}

# What pickles of dicts, lists, numbers, text and arrays are written with, in all protocols.
_OPCODES = (
    *("PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "GLOBAL", "STACK_GLOBAL"),
    *("REDUCE", "BUILD", "NONE", "NEWTRUE", "NEWFALSE"),
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("DICT", "EMPTY_DICT", "SETITEM", "SETITEMS", "LIST", "EMPTY_LIST", "APPEND", "APPENDS"),
    *("TUPLE", "EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
    *("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE", "GET", "BINGET", "LONG_BINGET"),
)
# The official `train` has 0.2 million. Each may make an object, which is larger than itself.
_MAX_STEPS = 1_000_000


class _Steps(dict[int, Callable[[Any], None]]):
    """What each opcode does."""

    def __missing__(self, opcode: int) -> Callable[[Any], None]:
        raise pickle.UnpicklingError(f"refused opcode {bytes([opcode])!r}")


# The one in Python, not the one in C: that makes room for as much as a pickle says will come.
class _RestrictedUnpickler(pickle._Unpickler):
    steps = 0
    dispatch: ClassVar = _Steps()

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            allowed = ", ".join(".".join(key) for key in _ALLOWED)
            raise pickle.UnpicklingError(
                f"refused global {module}.{name}; CIFAR-100 needs only {allowed}"
            ) from None


def _step(opcode: int) -> Callable[[Any], None]:
    load = pickle._Unpickler.dispatch[opcode]
    # What is made of tuples in tuples is hashed in a time that grows exponentially.
    keys = {pickle.SETITEM[0]: slice(-2, -1)} | dict.fromkeys(
        (pickle.SETITEMS[0], pickle.DICT[0]), slice(0, None, 2)
    )

    def step(unpickler: Any) -> None:
        unpickler.steps += 1
        if unpickler.steps > _MAX_STEPS:
            raise pickle.UnpicklingError(f"it has more than {_MAX_STEPS:,} steps")
        if opcode in keys and any(isinstance(key, tuple) for key in unpickler.stack[keys[opcode]]):
            raise pickle.UnpicklingError("a tuple as a key of a dict")
        load(unpickler)

    return step


_RestrictedUnpickler.dispatch.update(
    (opcode, _step(opcode)) for opcode in (getattr(pickle, name)[0] for name in _OPCODES)
)


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
            f"{where}: not a CIFAR-100 pickle: {type(error).__name__}: {error}. "
            "Use the official archive, or one with its layout."
        ) from error
    if not isinstance(value, dict):
        raise DataError(
            f"{where}: found {type(value).__name__}, expected a dict. "
            "Use the official archive, or one with its layout."
        )
    return {key: item.value if isinstance(item, _Array) else item for key, item in value.items()}
