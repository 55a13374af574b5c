import json
import shutil
import threading
from pathlib import Path

import pytest
from tfx.types import standard_artifacts
from tfx.utils import io_utils

from components.atomic_pusher.executor import Executor, push

FILES = ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001")
SIZES = [1, 1_000, 3_000_000]  # of a content of one letter


def saved_model(path: Path, content: str) -> str:
    """What a pusher sees of a SavedModel: files, the largest of some size."""
    for name, size in zip(FILES, SIZES, strict=True):
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content * size)
    return str(path)


def same_files(one: Path, other: str) -> bool:
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    return [str(file) for file in files] == sorted(FILES) and all(
        (one / name).read_bytes() == (Path(other) / name).read_bytes() for name in FILES
    )


class Push:
    """A push by the executor, and what it left."""

    def __init__(self, folder: Path, content: str, *, blessed: bool):
        model = standard_artifacts.Model()
        model.uri = str(folder / "model")
        saved_model(Path(model.uri) / "Format-Serving", content)
        blessing = standard_artifacts.ModelBlessing()
        blessing.set_int_custom_property("blessed", int(blessed))
        self.artifact = standard_artifacts.PushedModel()
        self.artifact.uri = str(folder / "pushed_model")
        self.serving = folder / "serving"
        destination = {"filesystem": {"base_directory": str(self.serving)}}
        Executor().Do(
            {"model": [model], "model_blessing": [blessing]},
            {"pushed_model": [self.artifact]},
            {"push_destination": json.dumps(destination), "custom_config": "null"},
        )


def test_a_blessed_model_is_pushed(tmp_path: Path) -> None:
    done = Push(tmp_path, "one", blessed=True)
    [version] = done.serving.iterdir()
    assert version.name.isdigit()
    assert same_files(version, str(tmp_path / "model" / "Format-Serving"))
    assert same_files(tmp_path / "pushed_model", str(version))
    assert done.artifact.get_int_custom_property("pushed") == 1
    assert done.artifact.get_string_custom_property("pushed_destination") == str(version)
    assert done.artifact.get_string_custom_property("pushed_version") == version.name


def test_a_model_that_is_not_blessed_is_not_pushed(tmp_path: Path) -> None:
    done = Push(tmp_path, "one", blessed=False)
    assert not done.serving.exists()
    assert not Path(done.artifact.uri).exists()
    assert done.artifact.get_int_custom_property("pushed") == 0


def test_the_same_model_is_not_pushed_twice(tmp_path: Path) -> None:
    serving = tmp_path / "serving"
    one = push(saved_model(tmp_path / "one", "one"), str(serving))
    assert push(saved_model(tmp_path / "again", "one"), str(serving)) == one
    assert [str(path) for path in serving.iterdir()] == [one]
    # It is a new version again once another one has been in between.
    push(saved_model(tmp_path / "two", "two"), str(serving))
    assert push(saved_model(tmp_path / "third", "one"), str(serving)) != one
    assert len(list(serving.iterdir())) == 3


def test_pushes_within_a_second_are_versions_in_their_order(tmp_path: Path) -> None:
    serving = tmp_path / "serving"
    models = [saved_model(tmp_path / f"model-{n}", str(n)) for n in range(5)]
    targets = [push(model, str(serving)) for model in models]
    numbers = [int(Path(target).name) for target in targets]
    assert numbers == sorted(set(numbers))
    assert all(same_files(Path(t), model) for t, model in zip(targets, models, strict=True))


@pytest.mark.parametrize("complete", [True, False])
def test_a_push_is_newer_than_every_version_that_is_there(tmp_path: Path, complete: bool) -> None:
    serving = tmp_path / "serving"
    # Of a clock that was ahead; incomplete, of a pusher that wrote in place.
    saved_model(serving / "99999999999", "old")
    if not complete:
        (serving / "99999999999" / "saved_model.pb").unlink()
    assert Path(push(saved_model(tmp_path / "new", "new"), str(serving))).name == "100000000000"


def test_an_interrupted_push_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serving = tmp_path / "serving"
    first = push(saved_model(tmp_path / "one", "one"), str(serving))
    two = saved_model(tmp_path / "two", "two")
    seen: list[Path] = []

    def interrupted(source: str, target: str) -> None:
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("variables.data*"))
        seen.extend(serving.rglob("saved_model.pb"))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(io_utils, "copy_dir", interrupted)
        with pytest.raises(KeyboardInterrupt):
            push(two, str(serving))
    # It was in the middle of it, below the destination.
    assert len(seen) == 2
    assert [str(path) for path in serving.iterdir()] == [first]
    assert same_files(Path(push(two, str(serving))), two)


def test_a_reader_never_sees_a_part_of_a_version(tmp_path: Path) -> None:
    serving = tmp_path / "serving"
    models = [saved_model(tmp_path / f"model-{n}", chr(ord("a") + n)) for n in range(12)]
    partial: list[str] = []
    seen: set[str] = set()
    done = threading.Event()

    def read() -> None:
        """Looks as TensorFlow Serving does: at the numbered folders."""
        while not done.is_set():
            for version in [path for path in serving.glob("*") if path.name.isdigit()]:
                sizes = [
                    (version / name).stat().st_size for name in FILES if (version / name).exists()
                ]
                if sizes != SIZES:
                    partial.append(version.name)
                seen.add(version.name)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for model in models:
            push(model, str(serving))
    finally:
        done.set()
        reader.join()
    assert not partial
    # It did look while versions came.
    assert len(seen) > 1
