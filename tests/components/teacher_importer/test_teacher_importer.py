import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from tfx.types import standard_artifacts
from user_models import TAPS, model, saved

from components.teacher_importer.executor import Executor
from kd_trainer import export
from kd_trainer.errors import ConfigError


def imported(file: Path, sha256: str, folder: Path) -> standard_artifacts.Model:
    made = standard_artifacts.Model()
    made.uri = str(folder / "model")
    properties = {"file": str(file), "sha256": sha256, "taps": json.dumps(TAPS)}
    Executor().Do({}, {"model": [made]}, properties)
    return made


def test_the_model_is_the_teacher_as_it_is_and_says_where_it_is_from(tmp_path: Path) -> None:
    own = model(width=4, activation=None)
    file = saved(own, tmp_path, "teacher")
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    made = imported(file, sha256, tmp_path)
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    found = export.load(made.uri)(images)
    np.testing.assert_allclose(found, own(images.astype("float32")), rtol=1e-4, atol=1e-5)
    origin = {key: made.get_string_custom_property(key) for key in ("file", "sha256", "taps")}
    assert origin == {"file": str(file), "sha256": sha256, "taps": json.dumps(TAPS)}


def test_a_file_that_changed_since_the_probe_is_refused(tmp_path: Path) -> None:
    file = saved(model(width=4), tmp_path, "teacher")
    with pytest.raises(ConfigError, match=r"teacher\.from.*expected 0{64}"):
        imported(file, "0" * 64, tmp_path)
    assert not (tmp_path / "model").exists()
