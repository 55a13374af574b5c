"""What happens around the steps of a stage."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from kd_trainer import progress

Logs = dict[str, float] | None


class WeightProgress(keras.callbacks.Callback):
    """Moves the terms' weights and bounds along their course, once an epoch."""

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Sets them for the epoch."""
        self.model.set_epoch(epoch)


class NotFiniteError(FloatingPointError):
    """A loss, or what it has made of the weights, is not finite.

    Attributes:
      found: `terms`, `epoch` and `batch`, both from 1.
    """

    def __init__(self, message: str, found: dict[str, Any]):
        super().__init__(message)
        self.found = found

    def __reduce__(self) -> tuple[type, tuple[str, dict[str, Any]]]:
        """Copies with what was found; exceptions otherwise copy their message alone."""
        return type(self), (str(self), self.found)


class StopOnNonFinite(keras.callbacks.Callback):
    """Stops training on a loss that is not finite, or on weights that are not.

    Args:
      who: is trained, for the error.
      variables: must be finite at an epoch's end, before they are kept.

    Raises:
      NotFiniteError: names the terms that are not finite, the stage, epoch and batch.
    """

    def __init__(self, who: str, variables: Sequence[Any]):
        super().__init__()
        self._who, self._variables = who, variables

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Remembers the epoch."""
        self._epoch = epoch + 1

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Looks at the running means, which stay non-finite once a term was."""
        broken = [name for name, value in (logs or {}).items() if not np.isfinite(value)]
        if broken:
            # The total is broken by whichever term is, and beside them it has the weight decay.
            terms = [name for name in broken if name != "loss"] or ["weight decay"]
            raise self._error(f"The loss is not finite: {', '.join(terms)}", terms, batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Looks at what the last step has made of the weights."""
        if not all(np.isfinite(np.asarray(variable)).all() for variable in self._variables):
            raise self._error("The weights are not finite", ["weights"], self.params["steps"])

    def _error(self, what: str, terms: list[str], batch: int) -> NotFiniteError:
        return NotFiniteError(
            f"{what} in stage {self.model.stage.name!r}, epoch {self._epoch}, batch {batch}, of "
            f"{self._who}. Lower recipe.learning_rate, add recipe.warmup_epochs, lower the term's "
            "weight, or set recipe.on_nan=rollback.",
            {"epoch": self._epoch, "batch": batch, "terms": terms},
        )


class KeepBest(keras.callbacks.Callback):
    """Remembers the network's weights of the epoch with the best accuracy on the eval split."""

    def __init__(self, network: keras.Model, best: float, weights: list[np.ndarray]):
        super().__init__()
        self._network = network
        self.best = best
        self.weights = weights

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Compares; the earlier of two equal epochs is kept."""
        accuracy = (logs or {})["val_accuracy"]
        if accuracy > self.best:
            self.best, self.weights = accuracy, self._network.get_weights()

    def on_train_end(self, logs: Logs = None) -> None:
        """Restores them."""
        self._network.set_weights(self.weights)


class History(keras.callbacks.Callback):
    """Adds a row an epoch: stage, epoch, seconds, learning rate, every loss term, accuracy.

    The learning rate is that of the epoch's first step.

    Args:
      stage: the stage's name.
      rows: are added to.
      rollbacks: what was rolled back to the epoch's start; the row takes it over.
    """

    def __init__(self, stage: str, rows: list[dict[str, Any]], rollbacks: list[dict[str, Any]]):
        super().__init__()
        self._stage, self._rows, self._rollbacks = stage, rows, rollbacks

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Starts the clock and looks at the rate."""
        self._start = time.perf_counter()
        self._learning_rate = float(self.model.optimizer.learning_rate)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Adds the row."""
        self._rows.append(
            {
                "stage": self._stage,
                "epoch": epoch + 1,
                "seconds": round(time.perf_counter() - self._start, 3),
                "learning_rate": self._learning_rate,
                **{name: float(value) for name, value in (logs or {}).items()},
                **({"rollbacks": self._rollbacks.copy()} if self._rollbacks else {}),
            }
        )
        self._rollbacks.clear()


class EndOfEpoch(keras.callbacks.Callback):
    """Calls a function with the number of epochs of the stage that are done."""

    def __init__(self, function: Callable[[int], None]):
        super().__init__()
        self._function = function

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Calls it."""
        self._function(epoch + 1)


class Report(keras.callbacks.Callback):
    """Tells `kd_trainer.progress` how far training is.

    Args:
      model_name: which network is trained.
      stage: the stage's name.
      epochs: the stage's epochs.
      steps_before: steps of the stages before.
      steps_total: steps of all stages.
      batch_size: images a step.
    """

    # The display is redrawn a few times a second; more often only costs time.
    _INTERVAL = 0.2

    def __init__(
        self,
        model_name: str,
        stage: str,
        epochs: int,
        steps_before: int,
        steps_total: int,
        batch_size: int,
    ):
        super().__init__()
        self._model_name, self._stage, self._epochs = model_name, stage, epochs
        self._steps_done, self._steps_total = steps_before, steps_total
        self._batch_size = batch_size
        self._last_report = 0.0
        self._images_per_second = 0.0

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Starts the clock of the epoch at its second step: the first one traces the graph."""
        self._epoch = epoch + 1
        self._clock: tuple[int, float] | None = None

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Reports, a few times a second."""
        self._steps_done += 1
        now = time.perf_counter()
        if self._clock is None:
            self._clock = (batch, now)
        first_step, start = self._clock
        if batch > first_step:
            self._images_per_second = (batch - first_step) * self._batch_size / (now - start)
        if now - self._last_report > self._INTERVAL:
            self._last_report = now
            self._emit(logs, epoch_ended=False)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Reports the epoch's result."""
        self._emit(logs, epoch_ended=True)

    def _emit(self, logs: Logs, epoch_ended: bool) -> None:
        images_left = (self._steps_total - self._steps_done) * self._batch_size
        rate = self._images_per_second
        progress.emit(
            progress.Progress(
                model=self._model_name,
                stage=self._stage,
                epoch=self._epoch,
                epochs=self._epochs,
                steps_done=self._steps_done,
                steps=self._steps_total,
                images_per_second=rate,
                seconds_left=images_left / rate if rate else float("nan"),
                logs=dict(logs or {}),
                epoch_ended=epoch_ended,
            )
        )
