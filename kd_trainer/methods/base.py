"""The interface of a distillation method."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import keras

Tensor = Any
Taps = Mapping[str, Tensor]
Shapes = Mapping[str, tuple[int, ...]]
Terms = Callable[[Taps, Taps, Tensor], dict[str, Tensor]]
# A term's weight: a number, or a function of how much of the stage is done, from 0 to 1.
Weight = float | Callable[[float], float]


class MethodConfig(BaseModel):
    """The hyper-parameters of a method."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _no_terms(student: Taps, teacher: Taps, labels: Tensor) -> dict[str, Tensor]:
    return {}


@dataclass(frozen=True)
class Stage:
    """One phase of training: what is read, what is minimised, for how long.

    A stage whose `task_weight` is 0 trains only the layers that lead to its student taps.

    Attributes:
      name: the name in logs and curves.
      epochs: length.
      student_taps: the student's taps that `terms` reads.
      teacher_taps: the teacher's taps that `terms` reads.
      terms: `(student taps, teacher taps, labels) -> {name: unweighted scalar}`, a pure function;
        taps that have an adapter come adapted.
      weights: the weight of each term, by its name.
      task_weight: the weight of the cross-entropy with the labels.
      schedule: a key of `kd_trainer.schedules.SCHEDULES`, or None for the recipe's.
    """

    name: str
    epochs: int
    student_taps: tuple[str, ...] = ()
    teacher_taps: tuple[str, ...] = ()
    terms: Terms = _no_terms
    weights: Mapping[str, Weight] = field(default_factory=dict)
    task_weight: float = 1.0
    schedule: str | None = None


class Method(ABC):
    """A distillation method: a typed configuration, adapters and stages.

    Attributes:
      Config: the class of its hyper-parameters.
      PRESETS: published settings by name, the default one first; a run records which it used.
      teacher_training: whether the teacher's forward pass is in training mode.
    """

    Config: ClassVar[type[MethodConfig]]
    PRESETS: ClassVar[dict[str, dict[str, Any]]]
    teacher_training: ClassVar[bool] = False

    def __init__(self, config: MethodConfig, preset: str):
        self.config: Any = config
        self.preset = preset

    @abstractmethod
    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """Returns the stages of a run whose recipe has that many epochs."""

    def adapters(self, student: Shapes, teacher: Shapes) -> "dict[str, keras.Layer]":
        """Returns layers by the student's tap that each is applied to; they are never exported.

        Args:
          student: the shape, without the batch, of each tap of the student.
          teacher: the same of the teacher.

        Raises:
          ConfigError: the taps cannot be brought to one shape.
        """
        return {}
