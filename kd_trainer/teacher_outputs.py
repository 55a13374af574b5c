"""The folder in which teachers' outputs are kept, and how much of the disk it may take."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import keras

from kd_trainer.data import Dataset, view_count
from kd_trainer.fused import fused
from kd_trainer.kept_rows import INDEX_BYTES, KeptRows
from kd_trainer.methods.base import Stage
from kd_trainer.recipe import Recipe
from kd_trainer.teacher import inferring
from kd_trainer.teacher_cache import TeacherCache, can_be_kept, subject
from kd_trainer.teacher_use import Use

_ELSEWHERE = "another training was adding to them: none were used"


class TeacherOutputs:
    """Outputs of teachers, a folder for each teacher, data and augmentation.

    Where there is no room for what a training may add, those go that were not used for longest.

    Args:
      directory: the folder; it is made.
      gigabytes: how much of the disk they may take, all together.

    Attributes:
      uses: what trainings had of it, one after another.
    """

    def __init__(self, directory: Path, gigabytes: float):
        self._directory, self._bytes = directory, int(gigabytes * 1e9)
        self.uses: list[Use] = []

    @contextmanager
    def of(
        self, teacher: keras.Model, stage: Stage, dataset: Dataset, recipe: Recipe
    ) -> Iterator[TeacherCache | None]:
        """Gives what is kept of a teacher, to a training that may add to it.

        Args:
          teacher: the teacher.
          stage: what is trained.
          dataset: what is trained on.
          recipe: gives the views.

        Yields:
          None where what the stage reads cannot be kept, or another process is at it: two cannot
          add to the same file.
        """
        if not can_be_kept(stage, teacher):
            yield None
            return
        teacher = fused(inferring(teacher, stage.teacher_taps))
        key = subject(teacher, dataset, recipe)
        folder = self._directory / key
        views = view_count(recipe)
        numbers, width = views * len(dataset), sum(output.shape[-1] for output in teacher.outputs)
        with ExitStack() as held:
            with _alone(self._directory):
                folder.mkdir(exist_ok=True)
                ours = held.enter_context(_locked(folder))
                index = 2 * INDEX_BYTES * numbers  # a new one is written beside the old one
                wanted = 4 * width * len(dataset) * min(views, stage.epochs) + index
                room = max(self._room(folder, wanted) - index, 0) if ours else 0
            if not ours:
                self.uses.append(Use(key=key, directory=str(folder), note=_ELSEWHERE))
                yield None
                return
            os.utime(folder)
            rows = KeptRows(folder, numbers, width, min(room // (4 * width), numbers))
            cache = TeacherCache(rows, teacher, views)
            try:
                yield cache
            finally:
                rows.close()
                self.uses.append(
                    Use(
                        key=key,
                        directory=str(folder),
                        views=numbers,
                        kept=rows.count,
                        bytes=rows.bytes,
                        asked=cache.asked,
                        found=cache.found,
                        seconds=cache.seconds,
                        note=self._note(rows),
                    )
                )

    def _room(self, folder: Path, wanted: int) -> int:
        """Returns how many bytes a folder may take, and makes room for those wanted."""
        own = _size(folder)
        others = sorted(
            (each for each in self._directory.iterdir() if each.is_dir() and each != folder),
            key=lambda other: other.stat().st_mtime,
        )
        taken = {other: _size(other) for other in others}
        for other in others:
            if own + wanted + sum(taken.values()) <= self._bytes:
                break
            with _locked(other) as unused:
                if unused:
                    shutil.rmtree(other)
                    del taken[other]
        return max(self._bytes - sum(taken.values()), 0)

    def _note(self, rows: KeptRows) -> str:
        if rows.disk_full:
            return "the disk is full: no more were kept"
        if rows.refused:
            return f"the limit of {self._bytes / 1e9:g} GB is reached: no more were kept"
        return ""


def _size(folder: Path) -> int:
    """Returns what a folder's files take on the disk, in bytes."""
    return sum(512 * file.stat().st_blocks for file in folder.iterdir())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Waits until nobody else is at a folder: what one opens, another must not remove."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Locks a folder, if nobody else has; gives whether it has."""
    with open(folder / "lock", "w", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
