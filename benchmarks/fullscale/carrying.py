"""What travels between this machine and one that is lent, which takes and gives in small parts.

`pack` makes the parts that are carried there, `device.sh` puts them together; `hand_back` leaves
there what is fetched, `collect` puts that in its places here.
"""

import io
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path

from benchmarks.fullscale.files import Files
from benchmarks.fullscale.packed import pack as packed
from benchmarks.fullscale.packed import unpack
from kd_trainer.errors import UserError

_MIB = 1 << 20
_CARRIED_A_CALL = 62 * _MIB  # of 64, the working tree included
_FETCHED_FILE, _FETCHED, _FETCHED_FILES = 16 * _MIB, 64 * _MIB, 8

# What the library needs and the machine lacks; it has JAX, NumPy, h5py, rich, PyYAML.
_PACKAGES = (
    "annotated-types",
    "keras",
    "namex",
    "optree",
    "pydantic",
    "pydantic-core",
    "typing-inspection",
)
_STATE = ".state"


def pack(archive: Path, files: Files, parts: Path, python: str) -> list[Path]:
    """Makes the parts, of which a call carries one: packages, data, and what is not finished.

    Args:
      archive: CIFAR-100.
      files: of which the state goes along; the others are in the working tree.
      parts: the folder of the parts, made anew.
      python: the version of Python over there, such as "3.12".

    Returns:
      The parts, each a folder with one file.
    """
    whole = io.BytesIO()
    with (
        tempfile.TemporaryDirectory() as site,
        tarfile.open(fileobj=whole, mode="w:gz", compresslevel=1) as tar,
    ):
        _install(Path(site), python)
        tar.add(site, "site")
        tar.add(archive, f"data/{archive.name}")
        for state in sorted(files.state.glob(f"*{_STATE}")):
            tar.add(state, f"state/{state.name}")
    room = _CARRIED_A_CALL - sum(path.stat().st_size for path in _tree())
    content = whole.getvalue()
    starts = range(0, len(content), room)
    shutil.rmtree(parts, ignore_errors=True)
    made = []
    for number, start in enumerate(starts, 1):
        part = parts / str(number)
        part.mkdir(parents=True)
        name = f"{number:02}-of-{len(starts):02}"
        (part / name).write_bytes(content[start : start + room])
        made.append(part)
    return made


def _install(site: Path, python: str) -> None:
    """Installs the packages for another Python, in the versions that are installed here."""
    uv = shutil.which("uv") or Path(".tools/bin/uv").absolute()
    target = ["--target", site, "--python-version", python]
    platform = ["--python-platform", "x86_64-manylinux_2_28", "--only-binary", ":all:"]
    wanted = [f"{name}=={version(name)}" for name in _PACKAGES]
    command = [uv, "pip", "install", "--quiet", "--no-deps", *target, *platform, *wanted]
    # Outside of the project, which leaves out releases that are newer than its oldest lock.
    subprocess.run(command, check=True, cwd=site)


def _tree() -> Iterable[Path]:
    """Yields the files of the working tree that travel with every call."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    return (path for path in map(Path, listed.stdout.split("\0")) if path.is_file())


def hand_back(files: Files, teacher_is_new: bool, out: Path) -> None:
    """Leaves what is to be fetched in a folder, in files that are small enough.

    Raises:
      UserError: it is more than can be fetched; the ledger and the teacher are there.
    """
    shutil.copy(files.ledger, out)
    if teacher_is_new:
        shutil.copy(files.teacher, out)
    pieces = []
    for state in sorted(files.state.glob("*.npz")):
        content = packed(state.read_bytes())
        for number, start in enumerate(range(0, len(content), _FETCHED_FILE)):
            name = f"{state.name}{_STATE}.{number}"
            pieces.append((out / name, content[start : start + _FETCHED_FILE]))
    there = list(out.iterdir())
    size = sum(path.stat().st_size for path in there) + sum(len(piece) for _, piece in pieces)
    count = len(there) + len(pieces)
    if size > _FETCHED or count > _FETCHED_FILES:
        raise UserError(
            f"The state of the run that is not finished makes {count} files of {size / _MIB:.0f} "
            f"MiB to be fetched, expected {_FETCHED_FILES} of {_FETCHED / _MIB:.0f} at most. It is "
            "on the machine's disk alone: end the run with another call while it is warm, or the "
            "run begins anew."
        )
    for path, piece in pieces:
        path.write_bytes(piece)


def collect(fetched: Path, files: Files) -> list[Path]:
    """Puts what was fetched in its places: ledger and teacher, and the state in place of the old.

    Returns:
      What was written.

    Raises:
      UserError: there is no ledger among it: the call did not come to its end.
    """
    if not (fetched / files.ledger.name).exists():
        raise UserError(
            f"There is no {files.ledger.name} in {fetched}: the call did not come to its end, and "
            "nothing was collected. While the machine is warm, call again, with a lower --budget."
        )
    files.ledger.parent.mkdir(parents=True, exist_ok=True)
    written = []
    for file in (files.ledger, files.teacher):
        if (fetched / file.name).exists():
            written.append(Path(shutil.copy(fetched / file.name, file)))
    files.state.mkdir(parents=True, exist_ok=True)
    for old in files.state.glob(f"*{_STATE}"):
        old.unlink()
    for first in sorted(fetched.glob(f"*{_STATE}.0")):
        pieces = sorted(fetched.glob(f"{first.stem}.*"))
        state = files.state / first.stem
        state.write_bytes(b"".join(piece.read_bytes() for piece in pieces))
        written.append(state)
    return written


def take_in(files: Files) -> None:
    """Unpacks the states that were carried, for the runs to go on from."""
    for state in files.state.glob(f"*{_STATE}"):
        state.with_suffix("").write_bytes(unpack(state.read_bytes()))
        state.unlink()
