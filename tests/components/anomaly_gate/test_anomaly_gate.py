from pathlib import Path

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tfx.types import standard_artifacts

from components.anomaly_gate.executor import Executor
from kd_trainer.errors import DataError

GOOD = pd.DataFrame({"label": [0, 1, 2, 3], "coarse_label": [0, 0, 1, 1]})


@pytest.fixture(scope="module")
def schema() -> schema_pb2.Schema:
    schema = tfdv.infer_schema(tfdv.generate_statistics_from_dataframe(GOOD))
    tfdv.set_domain(schema, "label", schema_pb2.IntDomain(min=0, max=3))
    return schema


def gate(folder: Path, splits: dict[str, anomalies_pb2.Anomalies]) -> None:
    """Runs the gate on anomalies laid out as ExampleValidator does."""
    artifact = standard_artifacts.ExampleAnomalies()
    artifact.uri = str(folder)
    artifact.split_names = str(list(splits)).replace("'", '"')
    for split, anomalies in splits.items():
        (folder / f"Split-{split}").mkdir()
        (folder / f"Split-{split}" / "SchemaDiff.pb").write_bytes(anomalies.SerializeToString())
    Executor().Do({"anomalies": [artifact]}, {}, {"code_fingerprint": ""})


def anomalies(data: pd.DataFrame, schema: schema_pb2.Schema) -> anomalies_pb2.Anomalies:
    return tfdv.validate_statistics(tfdv.generate_statistics_from_dataframe(data), schema)


def test_data_that_fits_passes(schema: schema_pb2.Schema, tmp_path: Path) -> None:
    fits = anomalies(GOOD, schema)
    assert not fits.anomaly_info
    gate(tmp_path, {"train": fits, "test": fits})


def test_each_anomaly_is_named_with_its_split_and_feature(
    schema: schema_pb2.Schema, tmp_path: Path
) -> None:
    out_of_range = anomalies(GOOD.assign(label=[0, 1, 2, 100]), schema)
    column_lost = anomalies(GOOD.drop(columns="coarse_label"), schema)
    with pytest.raises(DataError) as stopped:
        gate(
            tmp_path,
            {"train": anomalies(GOOD, schema), "eval": column_lost, "test": out_of_range},
        )
    found, *lines, mend = str(stopped.value).splitlines()
    assert found == "The data does not match the schema:"
    assert len(lines) == 2
    assert "split 'eval', feature 'coarse_label': SCHEMA_MISSING_COLUMN" in lines[0]
    assert "split 'test', feature 'label': INT_TYPE_BIG_INT" in lines[1]
    assert "100" not in lines[0]
    assert "data.schema" in mend


def test_an_anomaly_of_the_whole_data_set_is_named(
    schema: schema_pb2.Schema, tmp_path: Path
) -> None:
    demanding = schema_pb2.Schema()
    demanding.CopyFrom(schema)
    demanding.dataset_constraints.min_examples_count = 1000
    with pytest.raises(DataError, match=r"split 'train': .*dataset"):
        gate(tmp_path, {"train": anomalies(GOOD, demanding)})
