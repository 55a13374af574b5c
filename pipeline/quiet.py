"""Keeps the noise of TFX, Beam and TensorFlow off the terminal."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


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
            _flush(stream)
        for descriptor, copy in zip((1, 2), saved, strict=True):
            os.dup2(copy, descriptor)
            os.close(copy)


def _flush(stream: TextIO) -> None:
    """Writes out what is waiting; what the log has no room for is not to reach the terminal."""
    try:
        stream.flush()
    except OSError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        stream.flush()
