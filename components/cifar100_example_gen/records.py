"""The decoded records of one official split, and what identifies them."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from kd_trainer.errors import DataError
from kd_trainer.labels import COARSE_LABELS, FINE_LABELS

PIXEL_BYTES = 3 * 32 * 32

_MEND = "Use the official archive, or one with its layout."


@dataclass(frozen=True)
class Records:
    """N records in their official order.

    Attributes:
        images: uint8 of shape (N, 32, 32, 3): row, column, channel (red, green, blue).
        labels: int64 of shape (N,): indices into `FINE_LABELS`.
        coarse_labels: int64 of shape (N,): indices into `COARSE_LABELS`.
        ids: N unique names, such as `train-0123456789abcdef`. The digits are the image's SHA-256;
            the second of identical images has the suffix `-2`, and so on.
    """

    images: np.ndarray
    labels: np.ndarray
    coarse_labels: np.ndarray
    ids: list[str]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, chosen: slice | np.ndarray) -> "Records":
        """Returns some of the records, chosen as numpy does it."""
        return Records(
            self.images[chosen],
            self.labels[chosen],
            self.coarse_labels[chosen],
            np.array(self.ids)[chosen].tolist(),
        )


def make_records(
    where: str, split: str, planes: np.ndarray, labels: np.ndarray, coarse_labels: np.ndarray
) -> Records:
    """Makes records of what a layout's file holds, once it is found to be in order.

    Args:
        where: the source and member, for the message.
        split: the official split, `train` or `test`.
        planes: uint8 of shape (N, 3072): the red, the green and the blue plane of each image.
        labels: N integers.
        coarse_labels: N integers.

    Raises:
        DataError: there is no record, the lengths disagree, or a label is out of range.
    """
    lengths = {"images": len(planes), "labels": len(labels), "coarse labels": len(coarse_labels)}
    if len(set(lengths.values())) > 1:
        found = ", ".join(f"{length:,} {name}" for name, length in lengths.items())
        raise DataError(f"{where}: lengths disagree: found {found}. {_MEND}")
    if len(planes) == 0:
        raise DataError(f"{where}: found no records, expected at least one. {_MEND}")
    for name, values, classes in [
        ("labels", labels, len(FINE_LABELS)),
        ("coarse labels", coarse_labels, len(COARSE_LABELS)),
    ]:
        if values.min() < 0 or values.max() >= classes:
            raise DataError(
                f"{where}: {name} are out of range: found {values.min()} to {values.max()}, "
                f"expected 0 to {classes - 1}. {_MEND}"
            )
    images = np.ascontiguousarray(planes.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return Records(
        images, labels.astype(np.int64), coarse_labels.astype(np.int64), _ids(split, images)
    )


def _ids(split: str, images: np.ndarray) -> list[str]:
    seen: Counter[str] = Counter()
    ids = []
    for image in images:
        digest = hashlib.sha256(image).hexdigest()[:16]
        seen[digest] += 1
        suffix = f"-{seen[digest]}" if seen[digest] > 1 else ""
        ids.append(f"{split}-{digest}{suffix}")
    return ids


def is_eval(ids: Sequence[str], fraction: float) -> np.ndarray:
    """Says which records are held out for evaluation.

    The image decides alone: its digest, read as a number in [0, 1), is below `fraction`. So the
    choice does not change with the wrapping, the order or the number of records, and identical
    images stay together.

    Args:
        ids: the ids of records.
        fraction: the share to hold out, in [0, 1).

    Returns:
        A boolean array, as long as `ids`.

    Raises:
        DataError: the fraction is out of range.
    """
    if not 0 <= fraction < 1:
        raise DataError(
            f"eval_fraction: found {fraction}, expected at least 0 and less than 1. "
            "Use for example 0.1."
        )
    threshold = int(fraction * 2**64)
    return np.array([int(identity.split("-")[1], 16) < threshold for identity in ids], dtype=bool)
