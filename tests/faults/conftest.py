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

    def mount(self, *words: str) -> None:
        subprocess.run(["mount", *words, self.path], check=True, capture_output=True, text=True)

    def resize(self, megabytes: int) -> None:
        self.mount("-o", f"remount,size={megabytes}m")

    def fill(self) -> None:
        with open(self.path / "ballast", "wb", buffering=0) as ballast, suppress(OSError):
            while True:
                ballast.write(bytes(1 << 16))

    def protect(self) -> None:
        """Makes it read-only, although a run has files open there: what is mounted over it is."""
        self.mount("--bind", str(self.path))
        self.mount("-o", "remount,bind,ro")

    def release(self) -> None:
        """Undoes `protect`."""
        subprocess.run(["umount", "--lazy", self.path], check=True)


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
