import shutil
from pathlib import Path

import pytest

from components.run_recorder import origin
from pipeline import fingerprint

pytestmark = pytest.mark.light

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A copy of our code that may be edited."""
    for package in ("components", "kd_trainer"):
        shutil.copytree(
            ROOT / package,
            tmp_path / package,
            ignore=shutil.ignore_patterns("*.bz2", "__pycache__"),
        )
    monkeypatch.setattr(fingerprint, "_ROOT", tmp_path)
    monkeypatch.setattr(origin, "_ROOT", tmp_path)
    return tmp_path


def edit(path):
    path.write_text(path.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")


def test_a_copy_has_the_same_fingerprint(checkout, monkeypatch):
    copied = fingerprint.code("kd_trainer.run_fn")
    monkeypatch.setattr(fingerprint, "_ROOT", ROOT)
    assert fingerprint.code("kd_trainer.run_fn") == copied


@pytest.mark.parametrize(
    ("module", "edited", "changes"),
    [
        ("kd_trainer.run_fn", "kd_trainer/run_fn.py", True),
        ("kd_trainer.run_fn", "kd_trainer/distiller.py", True),
        ("kd_trainer.run_fn", "kd_trainer/losses/logits.py", True),
        ("kd_trainer.run_fn", "kd_trainer/__init__.py", True),
        ("kd_trainer.run_fn", "kd_trainer/methods/fitnet.py", False),
        ("kd_trainer.run_fn", "components/artifacts.py", False),
        ("kd_trainer.methods.fitnet", "kd_trainer/adapters.py", True),
        ("kd_trainer.methods.soft_logits", "kd_trainer/methods/fitnet.py", False),
        # Imported within a function.
        ("components.distill_trainer.executor", "kd_trainer/training.py", True),
        ("components.distill_trainer.executor", "kd_trainer/export.py", True),
        ("components.cifar100_example_gen.executor", "kd_trainer/labels.py", True),
        ("components.cifar100_example_gen.executor", "kd_trainer/training.py", False),
        ("components.baseline_selector.executor", "components/serving_versions.py", True),
        (
            "components.atomic_pusher.executor",
            "components/atomic_pusher/templates/model_card.md.j2",
            True,
        ),
        (
            "components.baseline_selector.executor",
            "components/atomic_pusher/templates/model_card.md.j2",
            False,
        ),
        ("components.model_report.executor", "components/model_report/page.py", True),
        ("components.model_report.executor", "components/model_report/templates/report.css", True),
        ("components.anomaly_gate.executor", "components/model_report/templates/report.css", False),
    ],
)
def test_an_edit_is_seen_where_it_matters(checkout, module, edited, changes):
    before = fingerprint.code(module)
    edit(checkout / edited)
    assert (fingerprint.code(module) != before) == changes


def test_an_edit_of_any_module_changes_the_whole(checkout):
    seen = {origin.everything()}
    for edited in ("kd_trainer/methods/fitnet.py", "components/artifacts.py"):
        edit(checkout / edited)
        seen.add(origin.everything())
    assert len(seen) == 3
    (checkout / "pipeline").mkdir()
    (checkout / "pipeline" / "new.py").write_text("new", encoding="utf-8")
    assert origin.everything() not in seen


def test_another_library_version_is_seen(monkeypatch):
    before = fingerprint.code("kd_trainer.run_fn")
    monkeypatch.setattr(origin, "version", lambda name: "0")
    assert fingerprint.code("kd_trainer.run_fn") != before


def test_a_files_content_is_seen(tmp_path):
    path = tmp_path / "schema.pbtxt"
    path.write_text("one", encoding="utf-8")
    before = fingerprint.file(path)
    path.write_text("two", encoding="utf-8")
    assert fingerprint.file(path) != before
