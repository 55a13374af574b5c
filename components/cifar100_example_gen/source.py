"""Gets the members' bytes out of a source: a tar archive or a folder, of either layout."""

import os
from dataclasses import dataclass
from pathlib import Path

from components.cifar100_example_gen.known import check_known
from components.cifar100_example_gen.unpack import check_size, unpack
from kd_trainer.errors import DataError


@dataclass(frozen=True)
class Members:
    """The members of one source, read into memory."""

    source: str
    layout: str
    content: dict[str, bytes]

    def where(self, member: str) -> str:
        """Names a member in an error message."""
        return f"{self.source}, member {member!r}"


PYTHON = "cifar-100-python"
BINARY = "cifar-100-binary"
LAYOUTS = {
    PYTHON: ("train", "test", "meta"),
    BINARY: ("train.bin", "test.bin", "fine_label_names.txt", "coarse_label_names.txt"),
}

_NAMES_SHOWN = 20


def read_members(source: str) -> Members:
    """Reads all members of a source and checks those whose hash is known.

    Nothing is unpacked to disk and no link in an archive is followed.

    Args:
        source: a tar archive (of any compression) that holds the folder `cifar-100-python` or
            `cifar-100-binary`; or that folder; or the folder it lies in.

    Raises:
        DataError: no such path, a damaged archive, one that unpacks to more than CIFAR-100 can
            be, members missing or of a wrong hash.
    """
    path = Path(source)
    if not os.path.exists(path):
        raise DataError(
            f"{source}: no such file or folder. Give the path of the CIFAR-100 archive or of the "
            "folder it unpacks to."
        )
    try:
        names, content = _read_folder(path) if path.is_dir() else _read_tar(path)
    except DataError:
        raise
    except Exception as error:  # a damaged archive can raise anything
        raise DataError(
            f"{source}: cannot be read: {error or type(error).__name__}. Expected a complete tar "
            "archive or folder of CIFAR-100: the file may be damaged or cut short; get it again."
        ) from error
    for layout, expected in LAYOUTS.items():
        if all(f"{layout}/{name}" in content for name in expected):
            members = Members(source, layout, {n: content[f"{layout}/{n}"] for n in expected})
            check_known(members.where, members.content)
            return members
    shown = ", ".join(sorted(names)[:_NAMES_SHOWN]) or "nothing"
    raise DataError(
        f"{source}: wrong member names: found {shown}; expected regular files named "
        f"{' or '.join(', '.join(sorted(_wanted(layout))) for layout in LAYOUTS)}. "
        "Use the official archive, or one with its layout."
    )


def binary_file(source: str, split: str) -> Path:
    """Returns the file that holds an official split, of an unpacked source of the binary layout."""
    return _folder(Path(source), BINARY) / f"{split}.bin"


def _folder(path: Path, layout: str) -> Path:
    return path / layout if (path / layout).is_dir() else path


def _wanted(layout: str) -> set[str]:
    return {f"{layout}/{name}" for name in LAYOUTS[layout]}


def _read_tar(path: Path) -> tuple[list[str], dict[str, bytes]]:
    """Returns the names of all members, and the content of those of a layout."""
    if path.stat().st_size == 0:
        raise DataError(f"{path}: empty file, expected a tar archive of CIFAR-100. Get it again.")
    return unpack(path, set().union(*map(_wanted, LAYOUTS)))


def _read_folder(path: Path) -> tuple[list[str], dict[str, bytes]]:
    """Returns the names of all files, and the content of those of a layout."""
    content, size = {}, 0
    for layout, expected in LAYOUTS.items():
        folder = _folder(path, layout)
        for name in expected:
            if (folder / name).is_file():
                size += (folder / name).stat().st_size
                check_size(str(path), size)
                content[f"{layout}/{name}"] = (folder / name).read_bytes()
    return [entry.name for entry in path.iterdir()], content
