"""The object store: moto's server of S3, in an environment of its own."""

import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError

_MOTO = "moto[s3,server]==5.0.27"
_SECONDS = 120  # to be installed and to start
BUCKET = "mlpipeline"


class ObjectStore:
    """A bucket.

    Args:
      address: host and port.
    """

    def __init__(self, address: str):
        self.address = address

    def read(self, uri: str) -> bytes:
        """Returns an object's content."""
        key = uri.removeprefix(f"minio://{BUCKET}/")
        with urllib.request.urlopen(f"http://{self.address}/{BUCKET}/{key}") as response:
            return response.read()


@contextmanager
def serving(uv: str, host: str, port: int, log: Path) -> Iterator[ObjectStore]:
    """Serves an empty bucket.

    Args:
      uv: the command `uv`, which installs moto.
      host: the address to listen on.
      port: its port.
      log: what the server says.
    """
    # Elsewhere than in the checkout, whose pyproject.toml says how new a package may be.
    command = [uv, "run", "--no-project", f"--directory={log.parent}", "--with", _MOTO]
    command += ["moto_server", "--host", host, "--port", str(port)]
    with log.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as server:
        try:
            store = ObjectStore(f"{host}:{port}")
            _create(f"http://{store.address}/{BUCKET}", server)
            yield store
        finally:
            server.terminate()


def _create(bucket: str, server: subprocess.Popen) -> None:
    request = urllib.request.Request(bucket, method="PUT")
    for _ in range(_SECONDS):
        if server.poll() is not None:
            raise RuntimeError(f"moto's server has ended with status {server.returncode}")
        try:
            with urllib.request.urlopen(request):
                return
        except URLError:
            time.sleep(1)
    raise RuntimeError(f"moto's server has not answered in {_SECONDS} seconds")
