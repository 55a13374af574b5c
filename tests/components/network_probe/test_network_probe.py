import hashlib
import json
from pathlib import Path

import keras
import pytest
from tfx.types import standard_artifacts
from user_models import TAPS, model, saved

from components.network_probe.executor import Executor
from kd_trainer import networks
from kd_trainer.errors import ConfigError
from schemas import CIFAR100

ARCHITECTURE = "students/1a2b/student.keras"


@pytest.fixture
def probe(tmp_path: Path):
    """Returns what it writes, for a file and a digest, which is the file's if not given."""

    def probe(file: Path, sha256: str = "", schema: str = str(CIFAR100)) -> str:
        digests = standard_artifacts.String()
        digests.uri = str(tmp_path / "digests")
        student = {
            "file": str(file),
            "sha256": sha256 or hashlib.sha256(file.read_bytes()).hexdigest(),
            "taps": TAPS,
            "architecture": str(tmp_path / ARCHITECTURE),
        }
        properties = {"networks": json.dumps({"student": student}), "schema": schema}
        Executor().Do({}, {"digests": [digests]}, properties)
        written = standard_artifacts.String()
        written.uri = digests.uri
        return written.read()

    return probe


def test_the_architecture_is_kept_for_the_trainings(probe, tmp_path: Path) -> None:
    file = saved(model(width=4), tmp_path, "student")
    digests = json.loads(probe(file))
    assert digests == {"student": hashlib.sha256(file.read_bytes()).hexdigest()}
    kept = tmp_path / ARCHITECTURE
    assert networks.build(str(kept), 100).count_params() == model(width=4).count_params()
    assert [path.name for path in kept.parent.iterdir()] == ["student.keras"]
    before = kept.stat().st_mtime_ns
    probe(file)
    assert kept.stat().st_mtime_ns == before


def test_a_write_that_fails_leaves_nothing(probe, tmp_path: Path, monkeypatch) -> None:
    file = saved(model(width=4), tmp_path, "student")

    def fails(network, path):
        Path(path).write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(keras.Model, "save", fails)
    with pytest.raises(OSError, match="No space left"):
        probe(file)
    assert not list((tmp_path / ARCHITECTURE).parent.iterdir())


def test_another_file_than_was_checked(probe, tmp_path: Path) -> None:
    file = saved(model(width=4), tmp_path, "student")
    with pytest.raises(ConfigError) as refused:
        probe(file, sha256="0" * 64)
    for part in ("student.from", str(file), "0" * 64, "compile the pipeline again"):
        assert part in str(refused.value)
    assert hashlib.sha256(file.read_bytes()).hexdigest() in str(refused.value)
    assert not (tmp_path / ARCHITECTURE).exists()


def test_a_file_that_is_not_there(probe, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        probe(tmp_path / "student.keras", sha256="0" * 64)
    for part in ("student.from", "No such file", f"tfx-distill-loader:{tmp_path}", "0" * 64):
        assert part in str(refused.value)


def test_other_classes_than_the_schema_has(probe, tmp_path: Path) -> None:
    schema = tmp_path / "ten.pbtxt"
    schema.write_text(
        Path(CIFAR100).read_text(encoding="utf-8").replace("max: 99", "max: 9"), encoding="utf-8"
    )
    with pytest.raises(ConfigError, match=r"student\.from.*100 classes, the data has 10"):
        probe(saved(model(width=4), tmp_path, "student"), schema=str(schema))
    assert not (tmp_path / ARCHITECTURE).exists()
