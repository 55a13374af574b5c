"""The versions below a push destination, as TensorFlow Serving sees them."""

import os
from collections.abc import Iterator

from tensorflow.io import gfile


def versions(directory: str) -> list[str]:
    """Returns the paths of the complete versions, oldest first.

    Args:
      directory: the push destination; it need not exist.
    """
    if not gfile.isdir(directory):
        return []
    numbers = sorted((name for name in gfile.listdir(directory) if name.isdigit()), key=int)
    paths = [os.path.join(directory, number) for number in numbers]
    return [path for path in paths if gfile.exists(os.path.join(path, "saved_model.pb"))]


def same_model(one: str, other: str) -> bool:
    """Returns whether two SavedModel directories hold the same files with the same bytes."""
    files = sorted(_files(one))
    return files == sorted(_files(other)) and all(
        _content(os.path.join(one, file)) == _content(os.path.join(other, file)) for file in files
    )


def _content(path: str) -> bytes:
    with gfile.GFile(path, "rb") as file:
        return file.read()


def _files(directory: str) -> Iterator[str]:
    for folder, _, names in gfile.walk(directory):
        for name in names:
            yield os.path.relpath(os.path.join(folder, name), directory)
