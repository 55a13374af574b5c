from pathlib import Path

import pytest

from components.serving_versions import (
    observed,
    same_files,
    same_model,
    versions,
    withdraw,
    withdrawn,
    withdrawn_path,
)

pytestmark = pytest.mark.light


def version(path: Path, content: str = "") -> str:
    (path / "variables").mkdir(parents=True)
    (path / "saved_model.pb").write_text("graph", encoding="utf-8")
    (path / "variables" / "variables.index").write_text(content, encoding="utf-8")
    return str(path)


def test_versions_are_complete_and_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    assert versions(str(tmp_path / "nowhere")) == []
    paths = [version(tmp_path / number) for number in ("9", "10", "100")]
    Path(version(tmp_path / "11"), "saved_model.pb").unlink()
    version(tmp_path / ".incoming-12")
    version(tmp_path / ".withdrawn" / "13")
    version(tmp_path / "²")
    (tmp_path / "14").write_text("no directory", encoding="utf-8")
    assert versions(str(tmp_path)) == paths


def test_withdrawing_moves_a_version_out_of_sight(tmp_path: Path) -> None:
    for number in ("9", "10", "11"):
        version(tmp_path / number, number)
    assert withdrawn(str(tmp_path)) == []
    moved = [withdraw(str(tmp_path / number), {}) for number in ("10", "9")]
    assert [Path(path).name for path in versions(str(tmp_path))] == ["11"]
    assert withdrawn(str(tmp_path)) == moved[::-1]
    assert moved[0] == withdrawn_path(str(tmp_path / "10"))
    assert Path(moved[0], "variables", "variables.index").read_text(encoding="utf-8") == "10"


def test_what_is_observed_changes_with_what_is_in_service_and_what_was(tmp_path: Path) -> None:
    seen = [observed(str(tmp_path))]
    assert seen == [""]
    for number in ("8", "9", "10"):
        version(tmp_path / number)
        seen.append(observed(str(tmp_path)))
    for number in ("10", "9", "8"):
        withdraw(str(tmp_path / number), {})
        seen.append(observed(str(tmp_path)))
    assert len(set(seen)) == len(seen)
    # A push that comes after a rollback is not what was seen before either.
    version(tmp_path / "11")
    assert observed(str(tmp_path)) not in seen


@pytest.mark.parametrize("beside", ["README.md", "tflite/student-int8.tflite"])
def test_what_a_push_lays_beside_a_model_is_not_the_model(tmp_path: Path, beside: str) -> None:
    one, other = version(tmp_path / "1", "a"), version(tmp_path / "2", "a")
    path = Path(one, beside)
    path.parent.mkdir(exist_ok=True)
    path.write_text("beside", encoding="utf-8")
    assert same_model(one, other)
    assert not same_files(one, other)


@pytest.mark.parametrize("file", ["variables/README.md", "assets/tflite", "fingerprint.pb"])
def test_a_file_more_is_another_model(tmp_path: Path, file: str) -> None:
    one, other = version(tmp_path / "1", "a"), version(tmp_path / "2", "a")
    assert same_model(one, other)
    assert same_files(one, other)
    path = Path(one, file)
    path.parent.mkdir(exist_ok=True)
    path.write_text("", encoding="utf-8")
    assert not same_model(one, other)
    assert not same_model(other, one)


def test_a_byte_makes_another_model(tmp_path: Path) -> None:
    one, other = version(tmp_path / "1", "a" * 100), version(tmp_path / "2", "a" * 99 + "b")
    assert not same_model(one, other)
