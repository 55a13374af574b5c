"""A push is all or nothing, whatever happens to the pusher and whoever looks."""

import errno
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from components.atomic_pusher import push as pushing
from components.atomic_pusher.push import push
from components.serving_versions import versions
from kd_trainer.errors import ConfigError

pytestmark = pytest.mark.light

ROOT = Path(__file__).parents[3]
FILES = ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001")
SIZES = [1, 1_000, 3_000_000]  # of a content of one letter

# Pushes a version of three files in 31 writes, tells of each, and waits before the rename.
SLOW_PUSHER = """
import sys, time
from pathlib import Path
from components.atomic_pusher.push import push

def write(folder):
    for name in ("variables/variables.data-00000-of-00001", "assets/big", "saved_model.pb"):
        Path(folder, name).parent.mkdir(exist_ok=True)
        with open(Path(folder, name), "wb") as file:
            for _ in range(10):
                file.write(b"x" * 100_000)
                file.flush()
                print("wrote", flush=True)
    print("wrote all", flush=True)
    time.sleep(600)

push(sys.argv[1], write)
"""


def writer(letter: str) -> Callable[[str], None]:
    """Writes what a pusher sees of a SavedModel: files, the largest of some size."""

    def write(folder: str) -> None:
        for name, size in zip(FILES, SIZES, strict=True):
            file = Path(folder, name)
            file.parent.mkdir(exist_ok=True)
            file.write_text(letter * size, encoding="utf-8")

    return write


def letter_of(version: Path) -> str:
    """The letter that a complete version is of."""
    files = [path for path in version.rglob("*") if path.is_file()]
    assert sorted(str(path.relative_to(version)) for path in files) == sorted(FILES)
    letter = (version / "saved_model.pb").read_text(encoding="utf-8")
    for name, size in zip(FILES, SIZES, strict=True):
        assert (version / name).read_text(encoding="utf-8") == letter * size
    return letter


def hidden(serving: Path) -> list[Path]:
    return [path for path in serving.iterdir() if path.name.startswith(".")]


@pytest.fixture
def serving(tmp_path: Path) -> Path:
    return tmp_path / "nested" / "serving"


def test_pushes_within_a_second_are_versions_in_their_order(serving: Path) -> None:
    targets = [push(str(serving), writer(letter)) for letter in "abcde"]
    numbers = [int(Path(target).name) for target in targets]
    assert numbers == sorted(set(numbers))
    assert [letter_of(Path(target)) for target in targets] == list("abcde")
    assert versions(str(serving)) == targets
    assert abs(numbers[0] - time.time()) < 3600
    assert not hidden(serving)


@pytest.mark.parametrize("name", ["99999999999", ".withdrawn/99999999999"])
@pytest.mark.parametrize("complete", [True, False])
def test_a_push_is_newer_than_every_version_there_ever_was(
    serving: Path, name: str, complete: bool
) -> None:
    # Of a clock that was ahead; incomplete, of a pusher that wrote in place.
    (serving / name).mkdir(parents=True)
    writer("a")(str(serving / name))
    if not complete:
        (serving / name / "saved_model.pb").unlink()
    assert Path(push(str(serving), writer("b"))).name == "100000000000"


def test_a_number_that_another_pusher_takes_meanwhile_is_left_to_it(serving: Path) -> None:
    others: list[str] = []

    def write(folder: str) -> None:
        # Both have looked at what is there already, and one second is not over.
        others.extend(push(str(serving), writer(letter)) for letter in "ab")
        writer("c")(folder)

    own = push(str(serving), write)
    assert [letter_of(Path(path)) for path in [*others, own]] == ["a", "b", "c"]
    assert versions(str(serving)) == [*others, own]


def test_a_number_that_is_taken_as_it_is_chosen_is_left_to_the_other(
    serving: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = push(str(serving), writer("a"))
    taken = int(Path(first).name)
    numbers = iter([taken, taken, taken + 1])
    with monkeypatch.context() as patch:
        patch.setattr(pushing, "next_version", lambda *_: next(numbers))
        second = push(str(serving), writer("b"))
    assert Path(second).name == str(taken + 1)
    assert [letter_of(Path(path)) for path in (first, second)] == ["a", "b"]


def test_a_rename_that_fails_otherwise_is_no_collision(
    serving: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", full)
        with pytest.raises(OSError, match="No space left"):
            push(str(serving), writer("a"))
    assert not list(serving.iterdir())


def test_a_folder_that_was_made_just_now_is_a_living_pushers(serving: Path) -> None:
    push(str(serving), writer("a"))
    incoming = serving / ".incoming-1"
    (incoming / "variables").mkdir(parents=True)
    os.utime(incoming, (time.time() - 7200,) * 2)
    push(str(serving), writer("b"))
    assert hidden(serving) == [incoming]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_push_leaves_nothing(serving: Path, error: type[BaseException]) -> None:
    first = push(str(serving), writer("a"))

    def interrupted(folder: str) -> None:
        writer("b")(folder)
        assert len(list(serving.rglob("saved_model.pb"))) == 2  # it is below the destination
        raise error

    with pytest.raises(error):
        push(str(serving), interrupted)
    assert [str(path) for path in serving.iterdir()] == [first]


@pytest.fixture
def slow_pusher(serving: Path) -> Iterator[Callable[[int], None]]:
    """Starts a push and kills it after some writes."""
    started = []

    def start_and_kill(writes: int) -> None:
        process = subprocess.Popen(
            [sys.executable, "-c", SLOW_PUSHER, str(serving)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        started.append(process)
        assert process.stdout
        for _ in range(writes):
            assert process.stdout.readline().startswith("wrote")
        process.kill()
        process.wait()
        process.stdout.close()

    yield start_and_kill
    for process in started:
        process.kill()


def test_a_killed_push_leaves_no_version_and_is_cleaned_up(
    serving: Path, slow_pusher: Callable[[int], None]
) -> None:
    first = push(str(serving), writer("a"))
    moments = (1, 5, 15, 25, 31)  # the last: all is written, but for the rename
    for moment in moments:
        slow_pusher(moment)
        assert versions(str(serving)) == [first]
    leftovers = hidden(serving)
    assert len(leftovers) == len(moments)
    assert [path.name for path in serving.iterdir() if path.name.isdigit()] == [Path(first).name]

    # The next push goes through. What a living pusher may be writing is left alone.
    second = push(str(serving), writer("b"))
    assert letter_of(Path(second)) == "b"
    assert hidden(serving) == leftovers

    # Two hours later only one of them has been written to.
    for leftover in leftovers:
        for path in [leftover, *leftover.rglob("*")]:
            os.utime(path, (time.time() - 7200,) * 2)
    alive = next(path for path in leftovers if (path / "saved_model.pb").exists())
    with open(alive / "saved_model.pb", "ab") as file:
        file.write(b"x")
    third = push(str(serving), writer("c"))
    assert hidden(serving) == [alive]
    assert versions(str(serving)) == [first, second, third]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"push\.directory: '.*file/serving' cannot be written"):
        push(str(tmp_path / "file" / "serving"), writer("a"))
