from pathlib import Path

import pytest
from tfx.types import standard_artifacts

from components.baseline_selector.executor import Executor, choose
from kd_trainer.errors import ConfigError


def saved_model(path: Path, content: str) -> str:
    """What a selector sees of a SavedModel: files."""
    (path / "variables").mkdir(parents=True)
    (path / "saved_model.pb").write_text("graph", encoding="utf-8")
    (path / "variables" / "variables.index").write_text(content, encoding="utf-8")
    return str(path)


@pytest.fixture
def candidate(tmp_path: Path) -> str:
    return saved_model(tmp_path / "candidate", "candidate")


@pytest.fixture
def scratch(tmp_path: Path) -> str:
    return saved_model(tmp_path / "scratch", "from scratch")


@pytest.fixture
def pushed(tmp_path: Path) -> Path:
    return tmp_path / "serving"


def test_the_first_run_has_no_champion(candidate: str, scratch: str, pushed: Path) -> None:
    for _ in range(2):
        choice = choose("champion", str(pushed), scratch, candidate)
        assert (choice.path, choice.choice, choice.champion_version) == (
            scratch,
            "from_scratch",
            "",
        )
        assert "no other model has been pushed" in choice.reason
        # No folder, then an empty one.
        pushed.mkdir(exist_ok=True)


def test_the_champion_is_the_newest_version_by_its_number(
    candidate: str, scratch: str, pushed: Path
) -> None:
    for version in ("9", "10", "8"):
        saved_model(pushed / version, version)
    choice = choose("champion", str(pushed), scratch, candidate)
    assert (choice.path, choice.choice, choice.champion_version) == (
        str(pushed / "10"),
        "champion",
        "10",
    )
    assert "10" in choice.reason


def test_from_scratch_does_not_look_at_versions(candidate: str, scratch: str, pushed: Path) -> None:
    saved_model(pushed / "1", "1")
    choice = choose("from_scratch", str(pushed), scratch, candidate)
    assert (choice.path, choice.choice, choice.champion_version) == (scratch, "from_scratch", "")


def test_what_is_no_complete_version_is_left_out(
    candidate: str, scratch: str, pushed: Path
) -> None:
    saved_model(pushed / "3", "3")
    Path(saved_model(pushed / "4", "4"), "saved_model.pb").unlink()
    saved_model(pushed / ".incoming-5-1", "5")
    saved_model(pushed / "latest", "6")
    (pushed / "7").write_text("no directory", encoding="utf-8")
    assert choose("champion", str(pushed), scratch, candidate).champion_version == "3"


def test_a_version_that_is_the_candidate_is_no_champion_for_it(
    candidate: str, scratch: str, pushed: Path
) -> None:
    saved_model(pushed / "1", "1")
    saved_model(pushed / "2", "candidate")
    assert choose("champion", str(pushed), scratch, candidate).champion_version == "1"
    # Of the same length, and with a file more, it is another model.
    saved_model(pushed / "3", "candidatE")
    assert choose("champion", str(pushed), scratch, candidate).champion_version == "3"
    (Path(saved_model(pushed / "4", "candidate")) / "assets.txt").touch()
    assert choose("champion", str(pushed), scratch, candidate).champion_version == "4"


@pytest.mark.parametrize(
    ("policy", "content", "properties"),
    [
        ("champion", "7", {"choice": "champion", "champion_version": "7"}),
        ("from_scratch", "from scratch", {"choice": "from_scratch", "champion_version": ""}),
    ],
)
def test_the_executor_copies_the_choice_and_says_why(
    policy: str, content: str, properties: dict, tmp_path: Path, pushed: Path
) -> None:
    saved_model(pushed / "7", "7")
    inputs = {}
    for key, text in [("from_scratch", "from scratch"), ("candidate", "candidate")]:
        artifact = standard_artifacts.Model()
        artifact.uri = str(tmp_path / "models" / key)
        saved_model(Path(artifact.uri) / "Format-Serving", text)
        inputs[key] = [artifact]
    model = standard_artifacts.Model()
    model.uri = str(tmp_path / "out")
    exec_properties = {
        "policy": policy,
        "push_directory": str(pushed),
        "observed_version": "",
        "code_fingerprint": "",
    }
    Executor().Do(inputs, {"model": [model]}, exec_properties)
    copied = tmp_path / "out" / "Format-Serving"
    assert (copied / "saved_model.pb").read_text(encoding="utf-8") == "graph"
    assert (copied / "variables" / "variables.index").read_text(encoding="utf-8") == content
    for name, value in properties.items():
        assert model.get_string_custom_property(name) == value
    assert model.get_string_custom_property("reason")


def test_what_is_in_service_is_told_whatever_is_chosen(
    candidate: str, scratch: str, pushed: Path
) -> None:
    for policy in ("champion", "from_scratch"):
        assert choose(policy, str(pushed), scratch, candidate).in_service == ""
    saved_model(pushed / "3", "3")
    saved_model(pushed / "4", "candidate")  # the candidate itself
    for policy in ("champion", "from_scratch"):
        assert choose(policy, str(pushed), scratch, candidate).in_service == "3"


def test_a_policy_that_is_none(candidate: str, scratch: str, pushed: Path) -> None:
    with pytest.raises(ConfigError, match="found 'best', expected champion or from_scratch"):
        choose("best", str(pushed), scratch, candidate)
