"""The parts of a source that workers read by themselves.

The records of an unpacked folder of the binary layout have one size and stand in files of their
own: what writes a file of examples reads the range that its records lie in, and no more. An
archive and a pickle can only be read whole.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from components.cifar100_example_gen.decode import RECORD_BYTES, decode_rows
from components.cifar100_example_gen.output import OFFICIAL, in_split, shards
from components.cifar100_example_gen.records import Records
from components.cifar100_example_gen.source import BINARY, binary_file
from kd_trainer.errors import DataError


@dataclass(frozen=True)
class Part:
    """A file of examples, and where its records are.

    Attributes:
        split: the split that it is of.
        name: the file's.
        source: the file to read.
        start: the first record of the range to read.
        stop: the record after its last.
        eval_fraction: the share of the official train split that is held out.
        repeats: the ids of images that were there before, by record.
        digest: of the records, as they were checked.
    """

    split: str
    name: str
    source: str
    start: int
    stop: int
    eval_fraction: float
    repeats: Mapping[int, str]
    digest: str

    def read(self) -> Records:
        """Reads the records.

        Raises:
            DataError: they are not those that were checked.
        """
        size = (self.stop - self.start) * RECORD_BYTES
        content = np.fromfile(self.source, np.uint8, size, offset=self.start * RECORD_BYTES)
        if len(content) < size:
            raise self._changed()
        records = decode_rows(self.source, OFFICIAL[self.split], content)
        ids = [self.repeats.get(self.start + row, id_) for row, id_ in enumerate(records.ids)]
        records = replace(records, ids=ids)[in_split(self.split, ids, self.eval_fraction)]
        if _digest(records) != self.digest:
            raise self._changed()
        return records

    def _changed(self) -> DataError:
        return DataError(
            f"{self.source}: the data changed while it was read. Expected what was there when this "
            "task began: run it again to use the new data."
        )


def parts(
    source: str,
    layout: str,
    official: Mapping[str, Records],
    splits: Mapping[str, Records],
    eval_fraction: float,
) -> list[Part]:
    """Returns a part for each file to write; none where a source has to be read whole.

    Args:
        source: the path of the archive or folder.
        layout: what it holds, as in `DataSummary`.
        official: the records of its official splits.
        splits: those of the splits to write.
        eval_fraction: the share of the official train split that is held out.
    """
    if layout != BINARY or not Path(source).is_dir():
        return []
    return [
        _part(source, official[OFFICIAL[split]].ids, split, name, shard, eval_fraction)
        for split, records in splits.items()
        for name, shard in shards(records)
    ]


def _part(
    source: str, ids: list[str], split: str, name: str, shard: Records, eval_fraction: float
) -> Part:
    start, stop = ids.index(shard.ids[0]), ids.index(shard.ids[-1]) + 1
    return Part(
        split,
        name,
        str(binary_file(source, OFFICIAL[split])),
        start,
        stop,
        eval_fraction,
        {row: ids[row] for row in range(start, stop) if ids[row].count("-") > 1},
        _digest(shard),
    )


def _digest(records: Records) -> str:
    digest = hashlib.sha256("\n".join(records.ids).encode())
    digest.update(records.images.data)
    digest.update(records.labels.data)
    digest.update(records.coarse_labels.data)
    return digest.hexdigest()
