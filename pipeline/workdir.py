"""The workdir belongs to one run at a time."""

import fcntl
import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from kd_trainer.errors import ConfigError

_LOCK = ".lock"


def check_writable(folder: Path, option: str = "--workdir") -> None:
    """Checks that a folder, or the one it will be made in, can be written; leaves no trace.

    Args:
      folder: absolute.
      option: what it is given with.

    Raises:
      ConfigError: it cannot.
    """
    existing = next(path for path in (folder, *folder.parents) if os.path.exists(path))
    try:
        folder.exists()  # which a name that is too long cannot be asked
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        raise ConfigError(
            f"The folder {str(folder)!r} cannot be written: {error.strerror} at "
            f"{str(existing)!r}. Give another one with {option}."
        ) from None


@contextmanager
def in_use(workdir: Path) -> Iterator[Callable[[], None]]:
    """Holds the workdir; the system lets it go with the process, however that ends.

    Yields:
      What raises a ConfigError once the workdir has been removed, or another stands in its place.

    Raises:
      ConfigError: another run holds it, or it cannot be written.
    """
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        lock = open(workdir / _LOCK, "a+", encoding="utf-8")  # noqa: SIM115
    except OSError as error:
        raise ConfigError(
            f"The folder {str(workdir)!r} cannot be written: {error.strerror}. Give another one "
            "with --workdir."
        ) from None

    def check_held() -> None:
        try:
            held = os.path.samestat(os.stat(workdir / _LOCK), os.fstat(lock.fileno()))
        except FileNotFoundError:
            held = False
        if not held:
            raise ConfigError(
                f"The workdir {str(workdir)!r} was removed or replaced while the run was at work. "
                "Bring it back and start again, which goes on from what is in it; without it, "
                "starting again begins anew."
            )

    with lock:
        _lock(lock, workdir, fcntl.LOCK_EX)
        lock.truncate(0)
        lock.write(
            f"process {os.getpid()} on {socket.gethostname()}, since "
            f"{time.strftime('%Y-%m-%d %H:%M:%S')}"
        )
        lock.flush()
        yield check_held


def check_free(workdir: Path) -> None:
    """Looks whether a run holds a workdir; it need not exist.

    Raises:
      ConfigError: one does.
    """
    # A workdir that cannot be looked into is refused by what makes it.
    with suppress(OSError), open(workdir / _LOCK, encoding="utf-8") as lock:
        _lock(lock, workdir, fcntl.LOCK_SH)


def _lock(lock: TextIO, workdir: Path, kind: int) -> None:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise ConfigError(
            f"The workdir {str(workdir)!r} is in use by another run "
            f"({lock.read() or 'it starts at this moment'}). Wait for it to end, or give another "
            "one with --workdir."
        ) from None
