"""What only a pod can say of a cluster; `tfx-distill kubeflow doctor` starts it there.

    python -m pipeline.cluster.in_pod '{"gpus": 1, "variables": ["AWS_ACCESS_KEY_ID"]}'

It prints a line for the command to read, and ends with 2 if something failed.
"""

import fcntl
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from components.run_recorder import origin
from kd_trainer.errors import ConfigError
from pipeline.cluster import volume
from pipeline.cluster.findings import FAILURE, Finding, failure, ok, warning
from pipeline.cluster.local_paths import WORKDIR

MARK = "tfx-distill doctor: "
"""Begins the line, in a log that Kubeflow's launcher also writes to."""

_TAKEN = 7  # exit status of the other process if the lock is held
_OTHER = f"""\
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        sys.exit({_TAKEN} if error.errno in (11, 13) else 1)
"""


def main(arguments: Sequence[str]) -> int:
    """Looks at the pod that it runs in.

    Args:
      arguments: one, in JSON: `gpus`, how many TensorFlow must see, and `variables`, the
        environment's that must be there.

    Returns:
      The exit status: 0, or 2 if something failed.
    """
    asked = json.loads(arguments[0])
    found = [*look_at_volume(WORKDIR), *look_at_variables(asked["variables"])]
    if asked["gpus"]:
        found.append(look_at_gpus(asked["gpus"]))
    report = {"code": origin.code(), "findings": [asdict(finding) for finding in found]}
    print(f"\n{MARK}{json.dumps(report)}", flush=True)
    return 2 if any(finding.status == FAILURE for finding in found) else 0


def read(log: str) -> dict[str, Any] | None:
    """Returns the report in a pod's log; None if there is none."""
    for line in reversed(log.splitlines()):
        _, mark, text = line.partition(MARK)
        if mark:
            return json.loads(text)
    return None


def look_at_volume(folder: Path) -> list[Finding]:
    """Says whether a folder can be written, renamed in and locked, as a push needs it."""
    who = f"user {os.getuid()} of group {os.getgid()}"
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=folder) as drafts:
            written = ok("volume", f"{folder} is writable for {who}")
            status = folder.stat()
            if not status.st_mode & 0o020 or status.st_gid != os.getgid():
                written = warning(
                    "volume",
                    f"{folder} is writable for {who}, but by its mode not for its group "
                    f"({_owner(folder)}). A task that the cluster gives another user, as "
                    "OpenShift does, may not write it. On the server: chgrp 0 DIRECTORY; chmod "
                    "2775 DIRECTORY.",
                )
            return [written, _rename(Path(drafts)), _lock(Path(drafts), folder)]
    except OSError as error:
        return [
            failure(
                "volume",
                f"{folder} cannot be written by {who}: {error.strerror}; {_owner(folder)}. Have "
                "the storage's administrator run: chgrp 0 DIRECTORY; chmod 2775 DIRECTORY; for an "
                "EFS access point: PosixUser 10001:0, root directory 10001:0, mode 0775.",
            )
        ]


def look_at_variables(names: Sequence[str]) -> list[Finding]:
    """Says whether environment variables are there; their values are not looked at."""
    return [
        ok("secret_env", f"{name} is set")
        if os.environ.get(name)
        else failure(
            "secret_env",
            f"{name} is not set or empty in the pod: check the secret's key in "
            "kubeflow.secret_env and what is under it.",
        )
        for name in names
    ]


def look_at_gpus(count: int) -> Finding:
    """Says whether TensorFlow sees as many GPUs as a training is given."""
    import tensorflow as tf

    seen = len(tf.config.list_physical_devices("GPU"))
    if seen >= count:
        return ok("GPU", f"TensorFlow sees {seen}")
    built = "" if tf.test.is_built_with_cuda() else " This TensorFlow is built without CUDA."
    return failure(
        "GPU",
        f"the pod was given {count}, and TensorFlow sees {seen}.{built} Build the image with "
        "CUDA's libraries (make image EXTRA=gpu), and check the node's driver: nvidia-smi in a "
        "pod of it.",
    )


def _rename(drafts: Path) -> Finding:
    """A version is pushed by a rename of a folder, a link and files by a rename over another."""
    try:
        for name in ("old", "new"):
            (drafts / name).write_text(name, encoding="utf-8")
        os.replace(drafts / "new", drafts / "old")
        (drafts / "draft").mkdir()
        (drafts / "draft" / "model").write_text("model", encoding="utf-8")
        os.rename(drafts / "draft", drafts / "pushed")
        whole = (drafts / "old").read_text(encoding="utf-8") == "new" and (
            drafts / "pushed" / "model"
        ).exists()
    except OSError as error:
        whole, why = False, f": {error.strerror}"
    else:
        why = ""
    if whole:
        return ok("rename", "files are replaced and folders renamed")
    return failure(
        "rename",
        f"a file is not replaced, or a folder not renamed, on the volume{why}. "
        "Claim a volume of a shared file system: NFS, Filestore, EFS, CephFS or Lustre.",
    )


def _lock(drafts: Path, folder: Path) -> Finding:
    """A lock must keep out another process, and be one that other machines see."""
    try:
        volume.check_locks(folder)
    except ConfigError as error:
        return failure("lock", str(error))
    path = drafts / "lock"
    try:
        with path.open("w+b") as file:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            other = subprocess.run([sys.executable, "-c", _OTHER, str(path)], capture_output=True)
    except OSError as error:
        return failure(
            "lock",
            f"the volume has no locks: {error.strerror}. Mount NFS in version 4, or version 3 "
            "with lockd and without nolock; Lustre with -o flock.",
        )
    if other.returncode == _TAKEN:
        return ok("lock", "a lock keeps another process out")
    return failure(
        "lock",
        "a lock on the volume does not keep another process out: two runs could push over each "
        "other. Claim a volume with POSIX locks: NFS 4, Filestore, EFS, CephFS, or Lustre with -o "
        "flock.",
    )


def _owner(folder: Path) -> str:
    try:
        status = folder.stat()
    except OSError as error:
        return f"it cannot be looked at: {error.strerror}"
    return f"it belongs to user {status.st_uid}, group {status.st_gid}, mode {status.st_mode:o}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
