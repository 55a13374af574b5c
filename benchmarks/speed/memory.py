"""What a process takes of memory, as Linux gives it."""

from pathlib import Path


def start() -> int:
    """Forgets the peak so far, and returns what this process holds now, in bytes."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    return _status("VmRSS")


def peak() -> int:
    """Returns the most that this process has held since, in bytes."""
    return _status("VmHWM")


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))
