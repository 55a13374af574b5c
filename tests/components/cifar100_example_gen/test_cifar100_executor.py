from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
import tensorflow as tf
from cifar_archives import (
    BINARY,
    PYTHON,
    batch,
    binary_files,
    python_files,
    write_folder,
    write_tar,
)
from tfx.components.util import tfxio_utils
from tfx.dsl.io import fileio
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local.local_dag_runner import LocalDagRunner
from tfx.types import artifact_utils, standard_artifacts

from components.cifar100_example_gen import executor
from components.cifar100_example_gen.checksum import archive_md5
from components.cifar100_example_gen.component import Cifar100ExampleGen
from components.cifar100_example_gen.executor import Executor
from components.cifar100_example_gen.reader import inspect, load, read
from components.cifar100_example_gen.records import is_eval
from components.cifar100_example_gen.sample import SAMPLE
from kd_trainer.errors import DataError

FEATURES = {
    "image": tf.io.FixedLenFeature([], tf.string),
    "label": tf.io.FixedLenFeature([], tf.int64),
    "coarse_label": tf.io.FixedLenFeature([], tf.int64),
    "id": tf.io.FixedLenFeature([], tf.string),
}


def run(uri: Path, source: str, **properties: object) -> standard_artifacts.Examples:
    examples = standard_artifacts.Examples()
    examples.uri = str(uri)
    defaults = {"source": source, "data_fingerprint": "", "eval_fraction": 0.1, "limit": None}
    Executor().Do({}, {"examples": [examples]}, defaults | properties)
    return examples


def parsed(examples: standard_artifacts.Examples, split: str) -> dict[str, np.ndarray]:
    files = fileio.glob(artifact_utils.get_split_uri([examples], split) + "/*")
    dataset = tf.data.TFRecordDataset(sorted(files)).batch(100_000)
    [everything] = dataset.map(lambda record: tf.io.parse_example(record, FEATURES))
    return {name: tensor.numpy() for name, tensor in everything.items()}


@pytest.fixture(scope="module")
def of_sample(tmp_path_factory: pytest.TempPathFactory) -> standard_artifacts.Examples:
    fingerprint = inspect(str(SAMPLE)).fingerprint
    return run(tmp_path_factory.mktemp("sample"), str(SAMPLE), data_fingerprint=fingerprint)


def test_the_records_of_the_sample_come_out_equal(
    of_sample: standard_artifacts.Examples,
) -> None:
    train, test = read(str(SAMPLE), "train"), read(str(SAMPLE), "test")
    held_out = is_eval(train.ids, 0.1)
    expected = {"train": train[~held_out], "eval": train[held_out], "test": test}
    assert artifact_utils.decode_split_names(of_sample.split_names) == list(expected)
    for split, records in expected.items():
        found = parsed(of_sample, split)
        images = np.stack([np.frombuffer(image, np.uint8) for image in found["image"]])
        np.testing.assert_array_equal(images.reshape(-1, 32, 32, 3), records.images)
        np.testing.assert_array_equal(found["label"], records.labels)
        np.testing.assert_array_equal(found["coarse_label"], records.coarse_labels)
        assert [identity.decode() for identity in found["id"]] == records.ids
        assert of_sample.get_int_custom_property(f"{split}_count") == len(records)
    assert of_sample.get_string_custom_property("data_fingerprint") == (
        inspect(str(SAMPLE)).fingerprint
    )
    assert of_sample.get_string_custom_property("source") == str(SAMPLE)
    assert of_sample.get_string_custom_property("archive_md5") == archive_md5(str(SAMPLE))


def test_tfx_reads_the_output(of_sample: standard_artifacts.Examples) -> None:
    read_split = tfxio_utils.get_split_tfxio([of_sample], "eval", telemetry_descriptors=["test"])
    with beam.Pipeline() as beam_pipeline:
        _ = (
            beam_pipeline
            | read_split.BeamSource()
            | beam.Map(lambda batch: (batch.num_rows, sorted(batch.schema.names)))
            | beam.combiners.ToList()
            | beam.Map(_check_batches, of_sample.get_int_custom_property("eval_count"))
        )


def _check_batches(batches: list[tuple[int, list[str]]], count: int) -> None:
    assert sum(rows for rows, _ in batches) == count
    assert all(names == ["coarse_label", "id", "image", "label"] for _, names in batches)


def test_the_same_bytes_each_time_and_in_several_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.cifar100_example_gen.output.SHARD_RECORDS", 10)
    source = write_tar(tmp_path / "a.tar", PYTHON, python_files(batch(95), batch(25)), "w")
    runs = [tmp_path / "one", tmp_path / "two"]
    for uri in runs:
        run(uri, source, eval_fraction=0)
    files = [sorted(path.relative_to(uri) for path in uri.rglob("*-of-*")) for uri in runs]
    assert files[0] == files[1]
    assert Path("Split-test/data_tfrecord-00002-of-00003") in files[0]
    assert len(files[0]) == 10 + 3
    for file in files[0]:
        assert (runs[0] / file).read_bytes() == (runs[1] / file).read_bytes()


def with_repeats(count: int) -> dict:
    """Records of which the same image stands in several parts of the file."""
    records = batch(count)
    records[b"data"][[3, 4, count // 2, count - 1]] = records[b"data"][0]
    return records


@pytest.mark.parametrize("eval_fraction", [0, 0.3])
@pytest.mark.parametrize("limit", [None, 17])
def test_a_source_that_is_read_in_parts_gives_the_same_bytes(
    eval_fraction: float, limit: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("components.cifar100_example_gen.output.SHARD_RECORDS", 10)
    loaded = []
    monkeypatch.setattr(executor, "load", lambda source: loaded.append(source) or load(source))
    files = binary_files(with_repeats(95), batch(25, 1))
    sources = {
        "whole": write_tar(tmp_path / "a.tar", BINARY, files, "w"),
        "parts": write_folder(tmp_path, BINARY, files),
    }
    for name, source in sources.items():
        run(tmp_path / name, source, eval_fraction=eval_fraction, limit=limit)
    # One is that of the check before anything is written.
    assert [loaded.count(source) for source in sources.values()] == [2, 1]
    whole, parts = (
        {path.relative_to(uri): path.read_bytes() for path in uri.rglob("*-of-*")}
        for uri in (tmp_path / "whole", tmp_path / "parts")
    )
    assert len(whole) > 3
    assert parts == whole


def test_no_eval_split_without_a_fraction(tmp_path: Path) -> None:
    source = write_tar(tmp_path / "a.tar", PYTHON, python_files(batch(40), batch(20)))
    examples = run(tmp_path / "out", source, eval_fraction=0.0, limit=15)
    assert artifact_utils.decode_split_names(examples.split_names) == ["train", "test"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "Split-test",
        "Split-train",
    ]
    assert [parsed(examples, s)["id"].tolist() for s in ("train", "test")] == [
        [identity.encode() for identity in read(source, s, 15).ids] for s in ("train", "test")
    ]


BAD_RUNS = {
    "changed data": ({"data_fingerprint": "0" * 64}, "the data changed"),
    "empty eval": ({"eval_fraction": 1e-9}, "split 'eval'"),
    "empty train": ({"eval_fraction": 1 - 1e-9}, "split 'train'"),
    "fraction": ({"eval_fraction": 1.5}, "eval_fraction: found 1.5"),
    "limit": ({"limit": 0}, "limit: found 0"),
    "no source": ({"source": "none.tar.gz"}, "no such file"),
}


@pytest.mark.parametrize("case", BAD_RUNS)
def test_nothing_is_written_of_bad_data(case: str, tmp_path: Path) -> None:
    properties, message = BAD_RUNS[case]
    source = write_tar(tmp_path / "a.tar", PYTHON, python_files())
    with pytest.raises(DataError, match=message):
        run(tmp_path / "out", **({"source": source} | properties))
    assert not (tmp_path / "out").exists()


def test_in_a_pipeline_changed_code_runs_again(tmp_path: Path) -> None:
    source = write_tar(tmp_path / "a.tar", PYTHON, python_files(batch(40), batch(20)))

    def launch(code_fingerprint: str) -> int:
        """Runs the pipeline, and returns how many outputs there are by now."""
        LocalDagRunner().run(
            pipeline.Pipeline(
                "test",
                str(tmp_path / "root"),
                components=[
                    Cifar100ExampleGen(
                        source=source,
                        data_fingerprint=inspect(source).fingerprint,
                        eval_fraction=0.2,
                        code_fingerprint=code_fingerprint,
                    )
                ],
                metadata_connection_config=metadata.sqlite_metadata_connection_config(
                    str(tmp_path / "metadata.sqlite")
                ),
                enable_cache=True,
            )
        )
        return len(list((tmp_path / "root").glob("Cifar100ExampleGen/examples/*")))

    assert [launch("a"), launch("a"), launch("b")] == [1, 1, 2]
