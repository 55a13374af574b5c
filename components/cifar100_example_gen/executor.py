"""Writes CIFAR-100 as tf.Examples, on Beam."""

import posixpath
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import tensorflow as tf
from tfx.components.util import examples_utils
from tfx.dsl.components.base import base_beam_executor
from tfx.proto import example_gen_pb2
from tfx.types import Artifact, artifact_utils

from components.cifar100_example_gen.checksum import archive_md5
from components.cifar100_example_gen.output import output_splits, shards
from components.cifar100_example_gen.parts import Part, parts
from components.cifar100_example_gen.reader import DataSummary, load
from components.cifar100_example_gen.records import Records
from kd_trainer.errors import DataError

_Shard = tuple[str, Records]


class Executor(base_beam_executor.BaseBeamExecutor):
    """The executor of `Cifar100ExampleGen`.

    The same data and properties give the same files, byte for byte and on every Beam runner:
    records stand in official order, and a file is the work of one element.
    """

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Reads and validates the source, and writes the splits once all is in order.

        Args:
            input_dict: empty.
            output_dict: `examples`, one `standard_artifacts.Examples`.
            exec_properties: `source`, `data_fingerprint`, `eval_fraction` and `limit`, as for
                `Cifar100ExampleGen`.

        Raises:
            DataError: the source is missing, damaged, not CIFAR-100 or not the data of
                `data_fingerprint`, or the properties leave a split empty. Nothing is written.
        """
        examples = artifact_utils.get_single_instance(output_dict["examples"])
        source, fingerprint = exec_properties["source"], exec_properties["data_fingerprint"]
        eval_fraction, limit = exec_properties["eval_fraction"], exec_properties.get("limit")

        # Here, for a worker's exception would reach the user wrapped in Beam's own.
        found, official, splits = _load_splits(source, fingerprint, eval_fraction, limit)
        counts = {split: len(records) for split, records in splits.items()}
        shared = parts(source, found.layout, official, splits, eval_fraction)
        del official, splits
        examples.split_names = artifact_utils.encode_split_names(list(counts))
        examples_utils.set_payload_format(
            examples,
            example_gen_pb2.PayloadFormat.Value("FORMAT_TF_EXAMPLE"),
        )
        examples.set_string_custom_property("data_fingerprint", found.fingerprint)
        examples.set_string_custom_property("source", source)
        examples.set_string_custom_property("archive_md5", archive_md5(source))
        for split, count in counts.items():
            examples.set_int_custom_property(f"{split}_count", count)

        folders = {split: artifact_utils.get_split_uri([examples], split) for split in counts}
        for folder in folders.values():
            tf.io.gfile.makedirs(folder)
        # A worker may be on another machine: it too reads only what was validated here.
        with self._make_beam_pipeline() as pipeline:
            if shared:
                _ = (
                    pipeline
                    | "Parts" >> beam.Create(shared)
                    | "Spread" >> beam.Reshuffle()
                    | "Copy" >> beam.Map(_copy_part, folders)
                )
            else:
                _ = (
                    pipeline
                    | "Source" >> beam.Create([source])
                    | "Shards"
                    >> beam.FlatMap(_read_shards, folders, found.fingerprint, eval_fraction, limit)
                    | "Spread" >> beam.Reshuffle()
                    | "Write" >> beam.Map(_write_shard)
                )


def _load_splits(
    source: str, fingerprint: str, eval_fraction: float, limit: int | None
) -> tuple[DataSummary, dict[str, Records], dict[str, Records]]:
    """Returns what is found, the records of the official splits, and of those to write."""
    summary, official = load(source)
    if fingerprint and summary.fingerprint != fingerprint:
        raise DataError(
            f"{source}: the data changed: found the fingerprint {summary.fingerprint}, expected "
            f"{fingerprint}, as it was at launch. Launch the pipeline again to use the new data."
        )
    return summary, official, output_splits(official, eval_fraction, limit)


def _read_shards(
    source: str,
    folders: dict[str, str],
    fingerprint: str,
    eval_fraction: float,
    limit: int | None,
) -> Iterator[_Shard]:
    """Yields the path of each file to write, and its records."""
    _, _, splits = _load_splits(source, fingerprint, eval_fraction, limit)
    for split, folder in folders.items():
        for name, records in shards(splits[split]):
            yield posixpath.join(folder, name), records


def _copy_part(part: Part, folders: dict[str, str]) -> None:
    """Reads the records of one file, and writes it."""
    _write_shard((posixpath.join(folders[part.split], part.name), part.read()))


def _write_shard(shard: _Shard) -> None:
    """Writes one file. A runner may do it twice: the second writes the same bytes over it."""
    path, records = shard
    with tf.io.TFRecordWriter(path) as writer:
        for index in range(len(records)):
            writer.write(_serialise(records, index))


def _serialise(records: Records, index: int) -> bytes:
    """Makes a tf.Example of a record."""
    example = tf.train.Example()
    feature = example.features.feature
    feature["image"].bytes_list.value.append(records.images[index].tobytes())
    feature["label"].int64_list.value.append(records.labels[index])
    feature["coarse_label"].int64_list.value.append(records.coarse_labels[index])
    feature["id"].bytes_list.value.append(records.ids[index].encode())
    # The features are a map, which protobuf is free to order otherwise.
    return example.SerializeToString(deterministic=True)
