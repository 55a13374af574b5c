"""A push in one step."""

import errno
import os
import shutil
import time
import uuid
from collections.abc import Callable
from contextlib import suppress

from components.serving_versions import next_version
from kd_trainer.errors import ConfigError

_INCOMING = ".incoming-"
# A pusher that is at work writes; clocks of a shared volume's machines differ by less.
_DEAD_AFTER_SECONDS = 3600


def push(directory: str, write: Callable[[str], None]) -> str:
    """Makes a version below a directory, in one step.

    TFX's own executor copies into the version's folder in place, so that a kill leaves a broken
    version, and leaves out a second push within a second. Here the version is made under a name
    that TensorFlow Serving does not look at, and renamed.

    Args:
      directory: the push destination; it is made if it is not there.
      write: writes the version into the folder, empty, that it is given.

    Returns:
      The path of the new version, Unix seconds.

    Raises:
      ConfigError: the directory cannot be written.
    """
    incoming = _new_name(directory)
    try:
        os.makedirs(incoming)
    except OSError as error:
        raise ConfigError(
            f"push.directory: {directory!r} cannot be written: {error.strerror}. Give a folder "
            "that can, or let this user write to it."
        ) from error
    try:
        _remove_leftovers(directory)
        write(incoming)
        return _rename_to_version(incoming, directory)
    except BaseException:
        shutil.rmtree(incoming, ignore_errors=True)
        raise


def _rename_to_version(incoming: str, directory: str) -> str:
    while True:
        target = os.path.join(directory, str(next_version(directory, int(time.time()))))
        try:
            os.rename(incoming, target)
        except OSError as error:
            # Another pusher has taken the number in between.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            return target


def _remove_leftovers(directory: str) -> None:
    """Removes what killed pushers left, which is known by its age.

    The destination may be a volume of many machines: a process number in the name would mean
    nothing on another one.
    """
    for name in os.listdir(directory):
        if not name.startswith(_INCOMING):
            continue
        # What another pusher removes at this moment, or what is not ours to remove, is let be.
        with suppress(OSError):
            path = os.path.join(directory, name)
            if time.time() - _last_write(path) > _DEAD_AFTER_SECONDS:
                # By another name a pusher that was only asleep fails, and pushes no part of it.
                removed = _new_name(directory)
                os.rename(path, removed)
                shutil.rmtree(removed)


def _last_write(folder: str) -> float:
    paths = [folder]
    for parent, folders, files in os.walk(folder):
        paths += [os.path.join(parent, name) for name in folders + files]
    return max(os.stat(path).st_mtime for path in paths)


def _new_name(directory: str) -> str:
    return os.path.join(directory, f"{_INCOMING}{uuid.uuid4().hex}")
