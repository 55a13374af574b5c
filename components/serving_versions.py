"""The versions below a push destination, as TensorFlow Serving sees them.

The destination is a folder of a file system whose rename is one step, as a local disk's and NFS's
is: what is pushed and withdrawn rests on that. This module imports no TFX, which takes seconds.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager, suppress

MODEL_CARD = "README.md"
PROVENANCE = "provenance.json"
TFLITE = "tflite"
WITHDRAWN = ".withdrawn"
_REPORTS = ".reports"
_LOCK = ".lock"


def versions(directory: str) -> list[str]:
    """Returns the paths of the complete versions, oldest first.

    Args:
      directory: the push destination; it need not exist.
    """
    paths = [os.path.join(directory, number) for number in _numbers(directory)]
    return [path for path in paths if os.path.isfile(os.path.join(path, "saved_model.pb"))]


def in_service(directory: str, candidate: str) -> str | None:
    """Returns the path of the newest complete version that holds another model; None if none does.

    Args:
      directory: the push destination; it need not exist.
      candidate: the SavedModel that it is to be another one than.
    """
    others = [path for path in versions(directory) if not same_model(path, candidate)]
    return others[-1] if others else None


@contextmanager
def locked(directory: str) -> Iterator[None]:
    """Keeps other processes, on other machines too, from changing what is in service.

    It is a lock of the kernel's on the file `.lock`, which NFS (4, or 3 with its lock service) and
    local disks have: a process that is killed holds it no longer, so that none is ever left over.

    Args:
      directory: the push destination; it is made if it is not there.

    Raises:
      OSError: the directory cannot be written, or its file system knows no locks.
    """
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, _LOCK), "w", encoding="utf-8") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield


def withdrawn(directory: str) -> list[str]:
    """Returns the paths of the versions that were taken out of service, oldest first.

    Args:
      directory: the push destination; it need not exist.
    """
    folder = os.path.join(directory, WITHDRAWN)
    return [os.path.join(folder, number) for number in _numbers(folder)]


def report_path(path: str) -> str:
    """Returns where the report of a version is kept.

    Args:
      path: the version's, where it is or was in service.
    """
    directory, number = os.path.split(path)
    return os.path.join(directory, _REPORTS, f"{number}.html")


def withdraw(path: str, record: Mapping[str, str]) -> str:
    """Takes a version out of service, in one step; returns where it lies from now on.

    The record is written first: one of a version that is in service still is of a withdrawal that
    was killed.

    Args:
      path: the version's.
      record: who withdraws it, when and why.
    """
    target = withdrawn_path(path)
    with locked(os.path.dirname(path)):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        partial = f"{target}.partial"
        with open(partial, "w", encoding="utf-8") as file:
            json.dump(record, file, indent=1)
        os.replace(partial, f"{target}.json")
        os.rename(path, target)
    return target


def withdrawal(path: str) -> dict[str, str] | None:
    """Returns the record of a version's withdrawal, or None.

    Args:
      path: the version's, where it is or was in service.
    """
    try:
        with open(f"{withdrawn_path(path)}.json", encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return None


def keep_in_service(path: str) -> None:
    """Removes the record of a withdrawal that is not to be finished."""
    with suppress(OSError):
        os.remove(f"{withdrawn_path(path)}.json")


def withdrawn_path(path: str) -> str:
    """Returns where a version lies once it is withdrawn.

    Args:
      path: the version's while it is in service.
    """
    directory, number = os.path.split(path)
    return os.path.join(directory, WITHDRAWN, number)


def observed(directory: str) -> str:
    """Returns what nodes that look at the destination depend on, for TFX's cache.

    Args:
      directory: the push destination; it need not exist.

    Returns:
      The newest version and, each with a minus, those that were withdrawn.
    """
    newest = [os.path.basename(path) for path in versions(directory)[-1:]]
    return " ".join([*newest, *(f"-{os.path.basename(path)}" for path in withdrawn(directory))])


def next_version(directory: str, least: int) -> int:
    """Returns a number above that of every version there ever was.

    Args:
      directory: the push destination; it need not exist.
      least: the number where none is as high.
    """
    # Incomplete versions too: another pusher may have left one.
    numbers = _numbers(directory) + _numbers(os.path.join(directory, WITHDRAWN))
    return max([least, *(int(number) + 1 for number in numbers)])


def same_model(one: str, other: str) -> bool:
    """Returns whether two directories hold the same SavedModel: the same files, byte for byte.

    What a push lays beside it, the model card, where it comes from and the TFLite files, is not
    looked at.
    """
    return same_files(one, other, leaving_out={MODEL_CARD, PROVENANCE, TFLITE})


def same_files(one: str, other: str, leaving_out: Set[str] = frozenset()) -> bool:
    """Returns whether two directories hold the same files, byte for byte.

    Args:
      one: a directory.
      other: another one.
      leaving_out: names at the top of them that are not looked at.
    """
    files = _files(one, leaving_out)
    return files == _files(other, leaving_out) and all(
        _content(os.path.join(one, file)) == _content(os.path.join(other, file)) for file in files
    )


def _numbers(directory: str) -> list[str]:
    names = os.listdir(directory) if os.path.isdir(directory) else []
    return sorted((name for name in names if name.isdecimal()), key=int)


def _content(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _files(directory: str, leaving_out: Set[str]) -> list[str]:
    paths = [
        os.path.relpath(os.path.join(folder, name), directory)
        for folder, _, names in os.walk(directory)
        for name in names
    ]
    return sorted(path for path in paths if path.split(os.sep)[0] not in leaving_out)
