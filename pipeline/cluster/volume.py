"""What the volume that all tasks mount must be able to do."""

from pathlib import Path

from kd_trainer.errors import ConfigError

# File systems in user space whose locks and renames hold on all machines. Those on object stores
# (gcsfuse, Mountpoint for S3, s3fs, blobfuse) have locks of one machine alone, and say nothing.
_SHARED_FUSE = {"fuse.ceph", "fuse.ceph-fuse", "fuse.glusterfs", "fuse.juicefs"}
MOUNTS = Path("/proc/self/mountinfo")


def check_locks(folder: Path) -> None:
    """Refuses a folder on a file system whose locks other machines do not see.

    Args:
      folder: where several machines push.

    Raises:
      ConfigError: it is one in user space (FUSE), and not known to have such locks.
    """
    kind, source = _mounted(folder)
    if kind.partition(".")[0] in ("fuse", "fuseblk") and kind not in _SHARED_FUSE:
        raise ConfigError(
            f"{folder} is on {source!r}, a file system of the kind {kind}, whose locks hold on one "
            "machine alone: two runs could push over each other. Expected a volume whose locks "
            "all machines see, such as NFS, Filestore, EFS, CephFS or Lustre. Keep a bucket for "
            "the pipeline root, and claim such a volume (kubeflow.volume_claim)."
        )


def _mounted(folder: Path) -> tuple[str, str]:
    """Returns the kind and the source of the file system that a folder is on."""
    wanted, best, found = folder.resolve(), "", ("", "")
    for line in MOUNTS.read_text(encoding="utf-8").splitlines():
        # man 5 proc: ... mount point, options, optional fields, "-", type, source, options.
        front, _, back = line.partition(" - ")
        point = front.split()[4].encode().decode("unicode_escape")
        if wanted.is_relative_to(point) and len(point) >= len(best):
            kind, source = back.split()[:2]
            best, found = point, (kind, source)
    return found
