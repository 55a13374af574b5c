"""SIGTERM ends a run within seconds, wherever it is.

Its training has kept its state at the end of each epoch, so that nothing need be waited for.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn

STATUS = 128 + signal.SIGTERM
MESSAGE = "tfx-distill: stopped by SIGTERM; the same command goes on where this one was"
_SECONDS = 10


_came = threading.Event()


class Terminated(BaseException):
    """SIGTERM has come."""


def came() -> bool:
    """Returns whether it has, since `heeded` was entered: libraries make errors of their own of it.

    Beam does, within the nodes that run on it.
    """
    return _came.is_set()


def leave_threads(status: int) -> None:
    """Ends the process with a status if threads would keep it, which are at something long."""
    others = set(threading.enumerate()) - {threading.main_thread()}
    if not all(thread.daemon for thread in others):
        os._exit(status)


@contextmanager
def heeded() -> Iterator[None]:
    """Has SIGTERM raise `Terminated` in the main thread, which is the caller's.

    A process that has not ended some seconds later, as its main thread is within a library that
    does not return, or that swallows what is raised in it, ends as it is.
    """
    _came.clear()
    terminal = os.dup(2)  # whatever is printed is sent into the log meanwhile
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(reading, over, terminal), daemon=True)
    watcher.start()
    # The wake-up is written by the signal itself; the handler waits for the main thread.
    wakeup = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    handler = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except Terminated:
        _end_children()
        raise
    finally:
        signal.signal(signal.SIGTERM, handler)
        signal.set_wakeup_fd(wakeup)
        over.set()
        os.write(writing, b"\0")
        watcher.join()
        for descriptor in (reading, writing, terminal):
            os.close(descriptor)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    _came.set()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # what is being ended need not be told again
    raise Terminated


def _watch(reading: int, over: threading.Event, terminal: int) -> None:
    while not over.is_set():
        if signal.SIGTERM in os.read(reading, 64) and not over.wait(_SECONDS):
            _end_children()
            with suppress(OSError):  # nobody may be listening
                os.write(terminal, f"{MESSAGE}\n".encode())
            os._exit(STATUS)


def _end_children() -> None:
    """Kills the processes that this one has started and that are still there, and theirs."""
    for child in _descendants(os.getpid()):
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def _descendants(process: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            # "pid (name) state parent ...", where the name may hold anything
            parent = int(path.read_text(encoding="utf-8").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    found = [process]
    for known in found:
        found += children.get(known, [])
    return found[1:]
