import errno
import os

import pytest
from ml_metadata import errors

from pipeline import troubles

pytestmark = pytest.mark.light


def wrapped(error):
    """As libraries do: an error of their own while another one is handled."""
    try:
        try:
            raise error
        except Exception:
            raise RuntimeError("a node failed")  # noqa: B904
    except RuntimeError as found:
        return found


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), "The disk is full. Make room."),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), "quota"),
        (OSError(errno.EFBIG, os.strerror(errno.EFBIG)), "ulimit -f"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS)), "--workdir"),
        (errors.InternalError("Error: unable to open database file query: INSERT"), "--metadata"),
        (errors.InternalError("Error when executing query: disk I/O error"), "can only be read"),
        (errors.InternalError("database or disk is full"), "The disk is full."),
        (errors.AbortedError("Concurrent writes aborted after max number of retries."), "fuser"),
    ],
)
def test_it_is_told_what_to_do_and_what_was_found(error, expected):
    for found in (error, wrapped(error)):
        assert troubles.is_known(found)
        told = troubles.explained(found)
        assert expected in told
        assert "start again: the run goes on" in told
        assert str(found) in told


def test_what_is_not_known_is_told_as_it_is():
    error = OSError(errno.ENOENT, "No such file")
    assert not troubles.is_known(error)
    assert troubles.explained(error) == "FileNotFoundError: [Errno 2] No such file"
