"""The workdir belongs to one run at a time."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kd_trainer.errors import ConfigError


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
def in_use(workdir: Path) -> Iterator[None]:
    """Holds the workdir; the system lets it go with the process, however that ends.

    Raises:
      ConfigError: another run holds it.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    with open(workdir / ".lock", "a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise ConfigError(
                f"The workdir {str(workdir)!r} is in use by another run (process {lock.read()}). "
                "Wait for it to end, or give another one with --workdir."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield
