"""Loads libraries fast, and without a word."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.quiet import output_to


@contextmanager
def uncollected() -> Iterator[None]:
    """Has Python look for no garbage meanwhile.

    TensorFlow and TFX make over a million objects that stay, as they are loaded; looking through
    them again and again is a third of the time.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@contextmanager
def silently() -> Iterator[None]:
    """Drops what libraries print as they are loaded, and has no garbage looked for meanwhile."""
    with uncollected(), output_to(Path(os.devnull)):
        yield
