import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import machine
import pytest


class Disk:
    """A small disk of its own.

    Attributes:
      path: where it is mounted.
    """

    def __init__(self, path: Path):
        self.path = path

    def mount(self, *words: str | Path) -> None:
        _call("mount", *words, self.path)

    def resize(self, megabytes: int) -> None:
        self.mount("-o", f"remount,size={megabytes}m")

    def fill(self) -> None:
        with open(self.path / "ballast", "wb", buffering=0) as ballast, suppress(OSError):
            while True:
                ballast.write(bytes(1 << 16))

    def protect(self) -> None:
        """Makes it read-only in one step, although a run has files open there.

        What is mounted over it is: a view that is read-only before anybody has it.
        """
        view = self.path.with_name(f"{self.path.name}-view")
        view.mkdir()
        _call("mount", "--bind", self.path, view)
        _call("mount", "-o", "remount,bind,ro", view)
        self.mount("--bind", view)
        _call("umount", view)
        view.rmdir()

    def release(self) -> None:
        """Undoes `protect`."""
        _call("umount", "--lazy", self.path)


def _call(*words: str | Path) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True, encoding="utf-8")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path)
    try:
        disk.mount("-t", "tmpfs", "-o", "size=300m", "none")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no disk can be mounted: {error.stderr.strip()}")
    yield disk
    while tmp_path.is_mount():
        disk.release()


@pytest.fixture(autouse=True)
def nothing_is_left_at_work() -> Iterator[None]:
    yield
    while machine.started:
        machine.started.pop().kill()
