"""The end of a call to a machine that is lent for minutes."""

import time

import keras


class OutOfTimeError(Exception):
    """What comes next may not end in time; the state of the last epoch is kept."""


class Deadline(keras.callbacks.Callback):
    """Ends a training after an epoch, if another one may not fit into what time is left.

    That may be as long as the longest of this process, which had its compilation in it. The first
    epoch is always run: no call comes to nothing.

    Args:
      seconds: from now.
    """

    def __init__(self, seconds: float):
        super().__init__()
        self._end = time.perf_counter() + seconds
        self._longest = 0.0

    def check(self) -> None:
        """Raises an `OutOfTimeError` if another epoch may not fit."""
        if self._longest and time.perf_counter() + self._longest > self._end:
            raise OutOfTimeError

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Starts the clock of the epoch."""
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Checks; called after the state is kept."""
        self._longest = max(self._longest, time.perf_counter() - self._start)
        self.check()
