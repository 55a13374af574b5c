"""Reads CIFAR-100 from any of its official wrappings.

It needs numpy alone, so that a command line that only looks at the data stays quick.
"""

import hashlib
from dataclasses import dataclass

from components.cifar100_example_gen.decode import SPLITS, decode
from components.cifar100_example_gen.records import Records
from components.cifar100_example_gen.source import read_members


@dataclass(frozen=True)
class DataSummary:
    """What a source holds.

    Attributes:
        fingerprint: SHA-256 of the decoded images and labels: the same data in another wrapping
            has the same fingerprint.
        counts: the number of records of the official splits `train` and `test`.
        layout: `cifar-100-python` or `cifar-100-binary`.
    """

    fingerprint: str
    counts: dict[str, int]
    layout: str


def load(source: str) -> tuple[DataSummary, dict[str, Records]]:
    """Reads and validates a whole source.

    Args:
        source: a tar archive of either official layout, in any compression; or the unpacked
            folder; or the folder it lies in.

    Returns:
        What it holds, and the records of the official splits.

    Raises:
        DataError: the source is missing, damaged or not CIFAR-100.
    """
    members = read_members(source)
    splits = decode(members)
    counts = {split: len(splits[split]) for split in SPLITS}
    return DataSummary(_fingerprint(splits), counts, members.layout), splits


def inspect(source: str) -> DataSummary:
    """Validates a whole source and says what it holds; raises and takes the same as `load`."""
    return load(source)[0]


def read(source: str, split: str, limit: int | None = None) -> Records:
    """Reads the records of one official split, having validated the whole source.

    Args:
        source: as for `load`.
        split: `train` or `test`.
        limit: read only so many records, the first.

    Returns:
        The records, in official order.

    Raises:
        DataError: the source is missing, damaged or not CIFAR-100.
    """
    return load(source)[1][split][:limit]


def _fingerprint(splits: dict[str, Records]) -> str:
    digest = hashlib.sha256()
    for split in SPLITS:
        records = splits[split]
        digest.update(f"{split} {len(records)}\n".encode())
        digest.update(records.images.data)
        digest.update(records.labels.astype("<i8").data)
        digest.update(records.coarse_labels.astype("<i8").data)
    return digest.hexdigest()
