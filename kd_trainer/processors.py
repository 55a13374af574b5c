"""Tells TensorFlow, before it is loaded, which processors the process has.

TensorFlow starts a thread for each processor of its affinity. It does not read the CPU quota of its
cgroup: under `limits: {cpu: 1}` on a node of 64 processors it has 64 threads, which the kernel
stops together once they have used up their slice (`benchmarks/results/speed/threads.md`). And it
leaves oneDNN off on x86 processors without AVX-512 VNNI.
"""

import math
import os
import platform
from collections.abc import Iterator
from pathlib import Path

_THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
_ONEDNN = "TF_ENABLE_ONEDNN_OPTS"


def configure() -> None:
    """Sets TensorFlow's environment variables, but for those that the user has set.

    Without effect once TensorFlow is loaded.
    """
    count = available()
    if count < len(os.sched_getaffinity(0)):
        for name in _THREADS:
            os.environ.setdefault(name, str(count))
    if platform.machine() == "x86_64":
        os.environ.setdefault(_ONEDNN, "1")


def available(proc: Path = Path("/proc/self")) -> int:
    """Returns how many processors the process may use at once.

    The least of its affinity and of the CPU quotas of its cgroup and the cgroups above, version 1
    or 2. A quota of one and a half processors counts as two.

    Args:
      proc: the process's folder in the proc file system.
    """
    quotas = [math.ceil(quota) for quota in _quotas(proc)]
    return max(1, min([len(os.sched_getaffinity(0)), *quotas]))


def _quotas(proc: Path) -> Iterator[float]:
    for mount, group in _cgroups(proc):
        for folder in (mount / group, *(mount / group).parents):
            yield from _quota(folder)
            if folder == mount:
                break


def _cgroups(proc: Path) -> Iterator[tuple[Path, Path]]:
    """Yields where a hierarchy with CPU quotas is mounted, and the process's place below it."""
    try:
        memberships = (proc / "cgroup").read_text(encoding="utf-8").splitlines()
        mounts = (proc / "mountinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux with cgroups
        return
    places = {}
    for line in memberships:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            places["cgroup2"] = path
        elif "cpu" in controllers.split(","):
            places["cgroup"] = path
    for line in mounts:
        # See proc(5): ID, parent, device, root, mount point, options, ... - type, source, options.
        own, _, of_file_system = line.partition(" - ")
        root, point = own.split(" ")[3:5]
        kind, _, options = of_file_system.split(" ")[:3]
        if kind not in places or (kind == "cgroup" and "cpu" not in options.split(",")):
            continue
        # A container sees the root of its own namespace, or the host's path where it has none.
        place = Path(places[kind])
        yield Path(point), place.relative_to(root) if place.is_relative_to(root) else Path()


def _quota(folder: Path) -> Iterator[float]:
    """Yields a cgroup's quota, in processors, if it has one."""
    try:
        if (folder / "cpu.max").exists():
            quota, period = (folder / "cpu.max").read_text(encoding="utf-8").split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text(encoding="utf-8").strip()
            period = (folder / "cpu.cfs_period_us").read_text(encoding="utf-8")
    except OSError:
        return
    if quota not in ("max", "-1"):
        yield int(quota) / int(period)
