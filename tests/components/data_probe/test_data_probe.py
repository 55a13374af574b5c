from pathlib import Path

import pytest
from tfx.types import standard_artifacts

from components.cifar100_example_gen import reader
from components.cifar100_example_gen.sample import SAMPLE
from components.data_probe.executor import Executor
from kd_trainer.errors import DataError


def probed(source: Path, folder: Path) -> standard_artifacts.String:
    fingerprint = standard_artifacts.String()
    fingerprint.uri = str(folder / "fingerprint")
    Executor().Do({}, {"fingerprint": [fingerprint]}, {"source": str(source)})
    return fingerprint


def test_the_fingerprint_is_the_one_that_example_gen_expects(tmp_path: Path) -> None:
    probed(SAMPLE, tmp_path)
    found = standard_artifacts.String()
    found.uri = str(tmp_path / "fingerprint")
    assert found.read() == reader.inspect(str(SAMPLE)).fingerprint


def test_data_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        probed(tmp_path / "nowhere", tmp_path)
    assert not list(tmp_path.iterdir())
