from pathlib import Path

import numpy as np
import pytest
from kd_helpers import sample, write_examples

import schemas
from kd_trainer.data import Dataset
from kd_trainer.errors import DataError
from kd_trainer.examples import load, num_classes


def test_a_split_comes_in_the_order_of_its_ids(tmp_path: Path) -> None:
    data = sample("train", 12)
    order = np.random.default_rng(0).permutation(12)
    ids = [f"train-{number:02d}" for number in order]
    for part, name in [(slice(0, 7), "b"), (slice(7, 12), "a")]:
        chosen = Dataset(data.images[order][part], data.labels[order][part])
        write_examples(tmp_path / name, chosen, ids[part])
    for patterns in (["*"], ["a", "b"], ["b", "a"]):
        found = load([str(tmp_path / pattern) for pattern in patterns])
        np.testing.assert_array_equal(found.images, data.images)
        np.testing.assert_array_equal(found.labels, data.labels)
        assert found.images.dtype == np.uint8
        assert found.labels.dtype == np.int64


def test_an_empty_split_is_refused_with_where_it_was_sought(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"{tmp_path}/none/\\*.*split is empty"):
        load([f"{tmp_path}/none/*"])
    write_examples(tmp_path / "empty", Dataset(np.zeros((0, 32, 32, 3)), np.zeros(0)), [])
    with pytest.raises(DataError, match="split is empty"):
        load([str(tmp_path / "empty")])


def test_the_number_of_classes_is_that_of_the_labels_domain(tmp_path: Path) -> None:
    assert num_classes(str(schemas.CIFAR100)) == 100
    schema = tmp_path / "schema.pbtxt"
    schema.write_text(
        'feature { name: "label" type: INT int_domain { min: 0 max: 9 } }', encoding="utf-8"
    )
    assert num_classes(str(schema)) == 10


BAD_SCHEMAS = {
    "no label": 'feature { name: "coarse_label" type: INT int_domain { min: 0 max: 9 } }',
    "no domain": 'feature { name: "label" type: INT }',
    "from one": 'feature { name: "label" type: INT int_domain { min: 1 max: 10 } }',
    "one class": 'feature { name: "label" type: INT int_domain { min: 0 max: 0 } }',
}


@pytest.mark.parametrize("case", BAD_SCHEMAS)
def test_a_schema_without_the_labels_domain_is_refused(case: str, tmp_path: Path) -> None:
    schema = tmp_path / "schema.pbtxt"
    schema.write_text(BAD_SCHEMAS[case], encoding="utf-8")
    with pytest.raises(DataError, match=r"schema\.pbtxt gives the feature 'label' no int_domain"):
        num_classes(str(schema))
