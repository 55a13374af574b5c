"""Decodes the members of either layout into records."""

from typing import Any

import numpy as np

from components.cifar100_example_gen.records import PIXEL_BYTES, Records, make_records
from components.cifar100_example_gen.source import PYTHON, Members
from components.cifar100_example_gen.unpickle import unpickle
from kd_trainer.errors import DataError
from kd_trainer.labels import COARSE_LABELS, FINE_LABELS

SPLITS = ("train", "test")

# What a binary file repeats: a coarse label, a fine label, and an image's three planes.
RECORD_BYTES = 2 + PIXEL_BYTES
_MEND = "Use the official archive, or one with its layout."


def decode(members: Members) -> dict[str, Records]:
    """Decodes both official splits.

    Args:
        members: the members of a source of either layout.

    Returns:
        The records of `train` and `test`.

    Raises:
        DataError: a member does not hold what the layout says.
    """
    decode_layout = _decode_python if members.layout == PYTHON else _decode_binary
    return decode_layout(members)


def _decode_python(members: Members) -> dict[str, Records]:
    meta = _unpickle_dict(members, "meta", ("fine_label_names", "coarse_label_names"))
    for key, expected in [
        ("fine_label_names", FINE_LABELS),
        ("coarse_label_names", COARSE_LABELS),
    ]:
        _check_names(f"{members.where('meta')}, {key}", _texts(meta[key]), expected)
    return {split: _decode_batch(members, split) for split in SPLITS}


def _decode_batch(members: Members, split: str) -> Records:
    where = members.where(split)
    batch = _unpickle_dict(members, split, ("data", "fine_labels", "coarse_labels"))
    data = batch["data"]
    if not isinstance(data, np.ndarray):
        raise DataError(f"{where}: data: found {type(data).__name__}, expected an array. {_MEND}")
    if data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != PIXEL_BYTES:
        raise DataError(
            f"{where}: data: found {data.dtype} of shape {data.shape}, "
            f"expected uint8 of shape (N, {PIXEL_BYTES}). {_MEND}"
        )
    return make_records(
        where,
        split,
        data,
        _integers(where, "fine_labels", batch["fine_labels"]),
        _integers(where, "coarse_labels", batch["coarse_labels"]),
    )


def _unpickle_dict(members: Members, member: str, keys: tuple[str, ...]) -> dict[str, Any]:
    """Unpickles a member with text or bytes for keys, and checks that those wanted are there."""
    where = members.where(member)
    value = unpickle(where, members.content[member])
    named = dict(zip(_texts(list(value)), value.values(), strict=True))
    if missing := set(keys) - set(named):
        raise DataError(
            f"{where}: found the keys {', '.join(named) or 'none'}; "
            f"{', '.join(sorted(missing))} missing. {_MEND}"
        )
    return named


def _texts(values: Any) -> list[str]:
    """Returns names as text, whichever version of Python pickled them."""
    values = values if isinstance(values, list) else [values]
    texts = [v.decode("ascii", "replace") if isinstance(v, bytes) else v for v in values]
    # The text of a list of lists of lists may be longer than any memory.
    return [v if isinstance(v, str) else f"({type(v).__name__})" for v in texts]


def _integers(where: str, key: str, values: Any) -> np.ndarray:
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise DataError(f"{where}: {key}: expected a list of integers, found otherwise. {_MEND}")
    # Clipped, for a number too large for int64 is out of the labels' range and is shown as such.
    limits = np.iinfo(np.int64)
    return np.array([min(max(value, limits.min), limits.max) for value in values], dtype=np.int64)


def _check_names(where: str, found: list[str], expected: tuple[str, ...]) -> None:
    if tuple(found) == expected:
        return
    differing = next(
        (pair for pair in zip(found, expected, strict=False) if pair[0] != pair[1]),
        (f"{len(found)} names", f"{len(expected)}"),
    )
    raise DataError(
        f"{where}: found {differing[0]}, expected {differing[1]}: "
        f"these are not the classes of CIFAR-100 in their order. {_MEND}"
    )


def _decode_binary(members: Members) -> dict[str, Records]:
    for member, expected in [
        ("fine_label_names.txt", FINE_LABELS),
        ("coarse_label_names.txt", COARSE_LABELS),
    ]:
        names = members.content[member].decode("ascii", "replace").split()
        _check_names(members.where(member), names, expected)
    return {split: _decode_rows(members, split) for split in SPLITS}


def _decode_rows(members: Members, split: str) -> Records:
    where, content = members.where(f"{split}.bin"), members.content[f"{split}.bin"]
    if len(content) % RECORD_BYTES:
        raise DataError(
            f"{where}: found {len(content):,} bytes, expected a multiple of {RECORD_BYTES:,}. "
            "The file may be cut short: get it again."
        )
    return decode_rows(where, split, np.frombuffer(content, np.uint8))


def decode_rows(where: str, split: str, content: np.ndarray) -> Records:
    """Decodes records of the binary layout.

    Args:
        where: the source and member, for the message.
        split: the official split, `train` or `test`.
        content: uint8 of shape (N * RECORD_BYTES,).

    Returns:
        The records. Repeats are counted among these alone.

    Raises:
        DataError: there is no record, or a label is out of range.
    """
    rows = content.reshape(-1, RECORD_BYTES)
    return make_records(where, split, rows[:, 2:], rows[:, 1], rows[:, 0])
