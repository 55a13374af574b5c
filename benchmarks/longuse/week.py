"""What a scheduled run is: a process of its own, with what a week changes."""

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from components.serving_versions import versions

# As small as a run may be; a student goes into service if it beats the champion.
SETTING = (
    "data.limit={images}",
    "teacher.network=resnet8",
    "recipe.epochs=1",
    "teacher.recipe={{epochs: 1}}",
    "gate.min_accuracy=0",
    "gate.min_change=0.0001",
    "seed={seed}",
)
IMAGES = 100
VERSIONS = 3
_CHANGES = ("new images", "new seed", "nothing", "new seed", "nothing")
_PUSHED, _REFUSED = 0, 3


@dataclass(frozen=True)
class Measured:
    """A process that ended.

    Attributes:
      seconds: of wall-clock time.
      cpu: seconds of its threads and children, which work beside it makes little longer.
      peak: the most memory that it had, in bytes.
    """

    seconds: float
    cpu: float
    peak: int


def change(number: int) -> str:
    """Returns what the run of that number, from 0, has that the one before had not."""
    return _CHANGES[number % len(_CHANGES)]


def command(number: int, workdir: Path) -> list[str]:
    """Returns the run of that number, in words.

    Args:
      number: from 0.
      workdir: of all runs.
    """
    done = [change(each) for each in range(number + 1)]
    values = {"images": IMAGES + done.count("new images"), "seed": done.count("new seed")}
    sets = [word for each in SETTING for word in ("--set", each.format(**values))]
    # Other images, other figures: the champion's are no bound then.
    rebaseline = ["--rebaseline"] if change(number) == "new images" else []
    return ["run", "--workdir", str(workdir), *sets, *rebaseline]


def retire(workdir: Path) -> None:
    """Removes old versions, as their owner does who wants `VERSIONS` of them and no more.

    Args:
      workdir: of all runs.
    """
    for pipeline in (workdir / "serving").glob("*"):
        for version in versions(str(pipeline))[:-VERSIONS]:
            shutil.rmtree(version)


def carry_out(words: list[str]) -> Measured:
    """Runs a command of tfx-distill to its end.

    Args:
      words: the command.

    Raises:
      RuntimeError: it failed.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "pipeline.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in (_PUSHED, _REFUSED):
        raise RuntimeError(f"{words} ended with {process.returncode}:\n{printed}")
    seconds = time.perf_counter() - start
    return Measured(seconds, usage.ru_utime + usage.ru_stime, 1024 * usage.ru_maxrss)
