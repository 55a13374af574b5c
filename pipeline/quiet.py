"""Keeps the noise of TFX, Beam and TensorFlow off the terminal."""

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


def open_closed() -> None:
    """Sends what is written to a closed standard output or error (`>&-`) nowhere.

    Python has None for it, and the next file that is opened would have its descriptor and get the
    C++ libraries' output.
    """
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            if nowhere != descriptor:
                os.dup2(nowhere, descriptor)
                os.close(nowhere)
            setattr(sys, name, os.fdopen(descriptor, "w", closefd=False))


@contextmanager
def output_to(log: Path) -> Iterator[TextIO]:
    """Sends everything that the process prints to a file, C++ libraries' output too.

    Args:
      log: is appended to; its folder is made.

    Yields:
      What still writes to the terminal.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [os.dup(descriptor) for descriptor in (1, 2)]
    with open(log, "ab") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
    try:
        with os.fdopen(os.dup(saved[0]), "w", buffering=1) as terminal:
            yield terminal
    finally:
        for stream in (sys.stdout, sys.stderr):
            flush(stream)
        for descriptor, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, descriptor)
            os.close(copy)


def flush(stream: TextIO) -> None:
    """Writes out what is waiting; what there is no room for, or nobody to read, is dropped."""
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        stream.flush()


def is_unread() -> bool:
    """Returns whether the standard output is a pipe whose reader has gone, as `| head` has soon."""
    poll = select.poll()
    poll.register(1, 0)
    return any(events & select.POLLERR for _, events in poll.poll(0))
