"""Servers that tests start, and what those of ours have in common."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any


class JsonHandler(BaseHTTPRequestHandler):
    """A handler that answers in JSON, and says nothing."""

    def answer(self, status: int, document: Any) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Says nothing."""


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
                assert server.poll() is None, log.read_text(encoding="utf-8")
                time.sleep(0.1)
            yield
        finally:
            server.terminate()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("localhost", port)) == 0
