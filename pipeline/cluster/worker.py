"""What each pod of a training on several machines runs, one process of `multi_worker`.

    python -m pipeline.cluster.worker FOLDER

FOLDER is on the volume and holds the executor's arguments and inputs (`pipeline.cluster.staging`).
"""

import json
import os
import socket
import sys
import tempfile
import time
from pathlib import Path

from kd_trainer.errors import UserError
from pipeline.cluster import executor, staging

ADDRESSES = "TFX_DISTILL_WORKERS"
"""The environment variable with the addresses of all processes, HOST:PORT, by commas."""


def main(folder: Path) -> int:
    """Runs the executor as one of several processes; the first of them writes the outputs.

    Returns:
      The exit status: 0, or 2 for what the user can mend. Any other error is raised.
    """
    index = int(os.environ["JOB_COMPLETION_INDEX"])
    addresses = os.environ[ADDRESSES].split(",")
    os.environ["TF_CONFIG"] = json.dumps(
        {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}}
    )
    _await_names(addresses)
    try:
        if index == 0:
            executor.run(staging.arguments(folder))
        else:
            with tempfile.TemporaryDirectory() as scratch:
                executor.run(staging.arguments(folder, Path(scratch)))
    except UserError as error:
        print(f"tfx-distill: {error}", file=sys.stderr)
        return 2
    return 0


def _await_names(addresses: list[str]) -> None:
    """Waits until the Service knows all pods; the task ends this one if that takes too long."""
    for address in addresses:
        while True:
            try:
                socket.getaddrinfo(address.rpartition(":")[0], None)
                break
            except socket.gaierror:
                time.sleep(1)


if __name__ == "__main__":
    os.umask(0o002)
    sys.exit(main(Path(sys.argv[1])))
