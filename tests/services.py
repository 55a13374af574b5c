"""Servers that tests start."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def started(command: Sequence[str], port: int, log: Path):
    """Starts a server, waits until it listens, and ends it at last.

    Args:
      command: the server's; `python` in it, and in what it starts, is this one.
      port: where it listens.
      log: the file for what it prints.
    """
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with (
        open(log, "wb") as file,
        subprocess.Popen(
            command, stdout=file, stderr=file, env={**os.environ, "PATH": path}
        ) as server,
    ):
        try:
            while not _listens(port):
                assert server.poll() is None, log.read_text()
                time.sleep(0.1)
            yield
        finally:
            server.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("localhost", port)) == 0
