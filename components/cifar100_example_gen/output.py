"""Lays out what the component writes: its splits, and their files."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from components.cifar100_example_gen.records import Records, is_eval
from kd_trainer.errors import DataError

SHARD_RECORDS = 5_000  # 15 MB: small enough for one element of any Beam runner


OFFICIAL = {"train": "train", "eval": "train", "test": "test"}
"""The official split that each split is of."""


def output_splits(
    official: dict[str, Records], eval_fraction: float, limit: int | None
) -> dict[str, Records]:
    """Makes the splits `train`, `eval` (unless the fraction is 0) and `test`.

    Args:
        official: the records of the official splits `train` and `test`.
        eval_fraction: the share of `train` to hold out for evaluation, in [0, 1).
        limit: take only so many records of each official split, the first.

    Raises:
        DataError: the fraction or the limit is out of range, or leaves a split empty.
    """
    if limit is not None and limit < 1:
        raise DataError(f"limit: found {limit}, expected at least 1. Leave it out to take all.")
    taken = {split: records[:limit] for split, records in official.items()}
    splits = {
        split: taken[of][in_split(split, taken[of].ids, eval_fraction)]
        for split, of in OFFICIAL.items()
    }
    if eval_fraction == 0:
        del splits["eval"]
    for name, records in splits.items():
        if len(records) == 0:
            raise DataError(
                f"split {name!r}: found no records in the {len(taken['train']):,} taken of the "
                f"official train split with eval_fraction {eval_fraction}, expected at least one. "
                "Raise the limit or change the fraction."
            )
    return splits


def in_split(split: str, ids: Sequence[str], eval_fraction: float) -> np.ndarray:
    """Says which records of an official split are in one of ours.

    Args:
        split: `train`, `eval` or `test`.
        ids: those of the records, of the official split that it is of.
        eval_fraction: the share of `train` to hold out for evaluation, in [0, 1).

    Returns:
        A boolean array, as long as `ids`.

    Raises:
        DataError: the fraction is out of range.
    """
    held_out = is_eval(ids, eval_fraction)
    return {"train": ~held_out, "eval": held_out, "test": np.ones_like(held_out)}[split]


def shards(records: Records) -> Iterator[tuple[str, Records]]:
    """Yields the file names of a split and what each file holds."""
    count = math.ceil(len(records) / SHARD_RECORDS)
    for shard in range(count):
        start = shard * SHARD_RECORDS
        name = f"data_tfrecord-{shard:05d}-of-{count:05d}"
        yield name, records[start : start + SHARD_RECORDS]
