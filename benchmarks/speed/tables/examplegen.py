"""ExampleGen, against a DoFn that is given one record at a time."""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import tensorflow as tf

from benchmarks.speed import options as shared
from benchmarks.speed.paired import Rounds
from benchmarks.speed.records import written
from components.cifar100_example_gen import reader

TITLE = "ExampleGen over a DoFn a record"
HEAD = [
    "Both read the archive, and write its two splits as TFRecords on Beam's DirectRunner. Seconds",
    "are medians; the ratio is the rounds': median [least-most].",
    "",
    "| | images | seconds | images/s | over ExampleGen |",
    "|---|---|---|---|---|",
]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what the table can be asked for."""
    shared.add_data(parser)
    shared.add_rounds(parser, 3)


def lines(options: argparse.Namespace) -> list[str]:
    """Measures, and returns the table."""
    count = sum(len(records) for records in reader.load(str(options.data))[1].values())

    def timed(write) -> float:
        with tempfile.TemporaryDirectory() as folder:
            start = time.perf_counter()
            write(options.data, Path(folder, "examples"))
            return time.perf_counter() - start

    subjects = {
        "ExampleGen": lambda: timed(written),
        "a DoFn a record": lambda: timed(_record_by_record),
    }
    rounds = Rounds(subjects, options.rounds, warm_ups=1)
    rows = []
    for name in subjects:
        seconds = rounds.median(name)
        rate, ratio = count / seconds, rounds.ratio(name, "ExampleGen")
        rows.append(f"| {name} | {count:,} | {seconds:.1f} | {rate:,.0f} | {ratio} |")
    return [*HEAD, *rows]


def _record_by_record(archive: Path, folder: Path) -> None:
    """What a plain custom ExampleGen does: a source that yields records, a Map, a sink."""
    with beam.Pipeline() as pipeline:
        for split in ("train", "test"):
            _ = (
                pipeline
                | f"Source {split}" >> beam.Create([str(archive)])
                | f"Read {split}" >> beam.FlatMap(_records, split)
                | f"Example {split}" >> beam.Map(_example)
                | f"Write {split}"
                >> beam.io.WriteToTFRecord(str(folder / f"Split-{split}" / "data_tfrecord"))
            )


def _records(archive: str, split: str) -> Iterator[tuple]:
    records = reader.load(archive)[1][split]
    yield from zip(records.images, records.labels, records.coarse_labels, records.ids, strict=True)


def _example(record: tuple) -> bytes:
    image, label, coarse_label, name = record
    feature = {
        "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image.tobytes()])),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
        "coarse_label": tf.train.Feature(int64_list=tf.train.Int64List(value=[coarse_label])),
        "id": tf.train.Feature(bytes_list=tf.train.BytesList(value=[name.encode()])),
    }
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()
