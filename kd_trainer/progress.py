"""What training tells while it runs: whoever shows it subscribes.

Training runs deep inside a pipeline's executor, the display belongs to the front door; they meet
here, within one process.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """A moment of training.

    Attributes:
      model: which network is trained, such as `teacher`.
      stage: the stage's name.
      epoch: the running epoch of the stage, from 1.
      epochs: epochs of the stage.
      steps_done: optimizer steps done, of all stages.
      steps: optimizer steps of all stages.
      images_per_second: over the running epoch.
      seconds_left: of all stages, at that rate.
      logs: the running means of loss, terms and accuracy; at an epoch's end also of `val_*`.
      epoch_ended: whether the epoch has just ended.
    """

    model: str
    stage: str
    epoch: int
    epochs: int
    steps_done: int
    steps: int
    images_per_second: float
    seconds_left: float
    logs: dict[str, float]
    epoch_ended: bool


def _unread(remark: str) -> None:
    """Is what reads remarks where nobody does."""


_listeners: list[tuple[Callable[[Progress], None], Callable[[str], None]]] = []


def subscribe(
    listener: Callable[[Progress], None], reader: Callable[[str], None] = _unread
) -> Callable[[], None]:
    """Calls the listener for every moment, the reader for every remark, from now on.

    Returns:
      What ends that.
    """
    subscription = listener, reader
    _listeners.append(subscription)
    return lambda: _listeners.remove(subscription)


def emit(progress: Progress) -> None:
    """Tells every listener."""
    for listener, _ in _listeners:
        listener(progress)


def remark(text: str) -> None:
    """Tells every reader what has happened to a training, in a line."""
    for _, reader in _listeners:
        reader(text)
