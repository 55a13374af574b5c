"""What the machine does to a run: full disks and the like, in words that say what to do.

TFX, Beam, TensorFlow and ML Metadata each wrap the system's error in one of their own; its words
are what stays.
"""

import re
from collections.abc import Iterator

_AGAIN = "Then start again: the run goes on where it was."
_MENDED = {
    "No space left on device|database or disk is full": f"The disk is full. Make room. {_AGAIN}",
    "Disk quota exceeded": f"This user's disk quota is used up. Make room. {_AGAIN}",
    "File too large": (
        "A file grew beyond what the file system or the user's limit (`ulimit -f`) allows. Raise "
        f"it. {_AGAIN}"
    ),
    "Read-only file system|attempt to write a readonly database": (
        f"The disk can only be read. Mount it to be written, or give another --workdir. {_AGAIN}"
    ),
    # SQLite's words for a journal that it cannot make beside the file, or not take away.
    "unable to open database file|disk I/O error": (
        "ML Metadata's file cannot be written: its disk can only be read, is full or broken, or "
        f"its folder is gone or not this user's. Mend that, or give another --metadata. {_AGAIN}"
    ),
    "database is locked|Concurrent writes aborted": (
        "ML Metadata is locked by another process, and was for minutes. Find out which "
        f"(`fuser metadata.sqlite`), and end it. {_AGAIN}"
    ),
}


def is_known(error: BaseException) -> bool:
    """Returns whether `explained` says what to do about an error."""
    return _known(error) is not None


def explained(error: BaseException) -> str:
    """Returns what happened, and what to do about it where that is known."""
    what = f"{type(error).__name__}: {error}"
    mended = _known(error)
    return f"{mended} Found: {what}" if mended else what


def _known(error: BaseException) -> str | None:
    texts = "\n".join(map(str, _chain(error)))
    return next((mended for words, mended in _MENDED.items() if re.search(words, texts)), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yields an error and what it was raised from or while handling."""
    while error:
        yield error
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
