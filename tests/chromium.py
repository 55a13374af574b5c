"""A headless Chromium, spoken to by the DevTools protocol."""

import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import websocket

PROGRAM = shutil.which("chromium")
_OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-port=0",
    "--remote-allow-origins=*",
]
_PATIENCE = 120  # seconds, for a machine that does much else


class Tab:
    """A tab of a `width`; `events` holds what Chromium tells of by itself."""

    def __init__(self, address: str):
        self._socket = websocket.create_connection(address, timeout=_PATIENCE)
        self._number = 0
        self.width = 0
        self.events: list[dict[str, Any]] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Calls a method and waits for its result."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def open(self, page: Path, width: int, scheme: str) -> None:
        """Opens a file as a screen of that width and scheme shows it, and waits until it is."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        self.width = width
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])
        self.events.clear()
        self.call("Page.navigate", url=page.as_uri())
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(json.loads(self._socket.recv()))

    def evaluate(self, expression: str) -> Any:
        """Returns the value of a JavaScript expression."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"]["value"]


@contextmanager
def tab() -> Iterator[Tab]:
    """Starts Chromium and gives its tab."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [str(PROGRAM), *_OPTIONS, f"--user-data-dir={profile}", "about:blank"]
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                port = _wait_for_port(Path(profile, "DevToolsActivePort"))
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/json", timeout=60) as answer:
                    targets = json.load(answer)
                [address] = [t["webSocketDebuggerUrl"] for t in targets if t["type"] == "page"]
                yield Tab(address)
            finally:
                process.terminate()


def _wait_for_port(file: Path) -> str:
    deadline = time.monotonic() + _PATIENCE
    while not (file.exists() and file.read_text(encoding="utf-8")):
        assert time.monotonic() < deadline, "Chromium does not start"
        time.sleep(0.05)
    return file.read_text(encoding="utf-8").split()[0]
