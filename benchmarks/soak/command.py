"""The run that is killed: the command line in a process of its own, its data by a download."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from components.cifar100_example_gen.sample import SAMPLE

# Two stages of the student, and epochs enough to be killed between.
SETTINGS = {
    "data.download": True,
    "data.limit": 1000,
    "teacher.network": "resnet8",
    "method": "{name: fitnet, hint_epochs: 2, taps: [stage2]}",
    "recipe.epochs": 3,
    "teacher.recipe": "{epochs: 3}",
    "gate.min_accuracy": 0,
    "gate.min_change": -1,
}
DOWNLOAD, CHECKS = "download", "checks"
_POLLING = 0.02
_DOWNLOAD_SECONDS = 2
_PUSH_SECONDS = 2
# The command line, but that the official archive is another one, and that a push takes as long as
# that of a large network on a slow volume: it waits before and after it makes the version seen.
_CODE = """
import sys
import time
from components.atomic_pusher import push
from components.cifar100_example_gen import download
from pipeline import cli

url, digest, seconds, *words = sys.argv[1:]
rename = push._rename_to_version

def rename_slowly(incoming, directory):
    time.sleep(float(seconds) / 2)
    target = rename(incoming, directory)
    time.sleep(float(seconds) / 2)
    return target

download.fetch.__defaults__ = (url, digest)
push._rename_to_version = rename_slowly
sys.exit(cli.main(words))
"""
_ROOT = Path(__file__).parents[2]


class Moment(NamedTuple):
    """When a run is killed.

    Attributes:
      node: after the line with which this node starts; after the `DOWNLOAD` has received
        something; with the archive there, `CHECKS`; empty, after the process has started.
      seconds: so long after that, or as the node ends if that is earlier.
    """

    node: str
    seconds: float


class Command:
    """Runs the pipeline in a workdir.

    Args:
      workdir: absolute.
      url: where the archive is served.
      settings: keys of the configuration.

    Attributes:
      output: what all starts have printed.
      part: what has been downloaded so far.
      starts: the times at which nodes, download and checks of the last start began, in seconds of
        its process.
    """

    def __init__(self, workdir: Path, url: str, settings: Mapping[str, Any]):
        self.workdir, self._url, self._settings = workdir, url, settings
        self.output = workdir.with_name(f"{workdir.name}.txt")
        self._archive = workdir / "downloads" / SAMPLE.name
        self.part = self._archive.with_name(f"{SAMPLE.name}.part")
        self.starts: dict[str, float] = {}

    def run(self, watch: Any = lambda: None, until: Moment | None = None) -> int:
        """Starts the run and waits for its end, or kills it.

        Args:
          watch: is called all the time.
          until: when it is killed.

        Returns:
          The exit status; that of SIGKILL is -9.
        """
        self.starts = {"": 0.0}
        with open(self.output, "a+", encoding="utf-8") as output:
            seen = output.seek(0, os.SEEK_END)
            begin, begin_by_clock = time.monotonic(), time.time()
            process = self._start(output)
            while process.poll() is None:
                watch()
                now = time.monotonic() - begin
                with open(self.output, encoding="utf-8") as printed:
                    printed.seek(seen)
                    lines = printed.read().splitlines()
                begun = [*self._before_nodes(begin_by_clock)]
                begun += [line[2:] for line in lines if line.startswith("▸ ")]
                for node in begun:
                    self.starts.setdefault(node, now)
                ended = {line.split()[1] for line in lines if line.startswith("✓ ")}
                if until and (until.node in ended or now >= self._at(until)):
                    os.killpg(process.pid, signal.SIGKILL)
                time.sleep(_POLLING)
            self.starts["end"] = time.monotonic() - begin
        watch()
        return process.returncode

    def _at(self, moment: Moment) -> float:
        return self.starts.get(moment.node, float("inf")) + moment.seconds

    def _before_nodes(self, begin: float) -> Iterator[str]:
        """Yields which of `DOWNLOAD` and `CHECKS` have begun in a start, by the files."""
        if self._archive.exists():  # from the beginning, after the first starts
            yield from (DOWNLOAD, CHECKS)
        with suppress(OSError):  # there is no part, or it has just been finished
            if self.part.stat().st_mtime > begin:
                yield DOWNLOAD

    def _start(self, output: Any) -> subprocess.Popen:
        digest = hashlib.md5(SAMPLE.read_bytes()).hexdigest()
        sets = [w for key, value in self._settings.items() for w in ("--set", f"{key}={value}")]
        words = ["run", "--workdir", str(self.workdir), *sets]
        return subprocess.Popen(
            [sys.executable, "-c", _CODE, self._url, f"md5:{digest}", str(_PUSH_SECONDS), *words],
            cwd=_ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


class _Slowly(SimpleHTTPRequestHandler):
    """Serves a folder at a pace at which a download can be killed."""

    def copyfile(self, source: Any, outputfile: Any) -> None:
        chunk = SAMPLE.stat().st_size // 20 + 1
        with suppress(ConnectionError):  # who downloads is killed
            while data := source.read(chunk):
                time.sleep(_DOWNLOAD_SECONDS / 20)
                outputfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@contextmanager
def served() -> Iterator[str]:
    """Serves the sample as the archive that is downloaded; yields its URL."""
    handler = partial(_Slowly, directory=str(SAMPLE.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/{SAMPLE.name}"
        finally:
            server.shutdown()
