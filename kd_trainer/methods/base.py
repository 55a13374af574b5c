"""The interface of a distillation method."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import keras
    import numpy as np

Tensor = Any
Taps = Mapping[str, Tensor]
Shapes = Mapping[str, tuple[int, ...]]
Category = Literal["response", "features", "shared representation", "relations"]
TeacherMode = Literal["inference", "batch statistics", "trained"]
# A term's weight: a number, or a function of the stage's epoch, counted from 0.
Weight = float | Callable[[int], float]


class MethodConfig(BaseModel):
    """The hyper-parameters of a method."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Step:
    """What the terms of one training step are computed from.

    Attributes:
      student: the student's taps.
      teacher: the teacher's taps; no gradient flows into them unless the teacher is trained.
      labels: class numbers, `(batch,)`.
      adapters: the method's adapters by name.
      indices: each image's position in the training set, `(batch,)`, where the stage reads them.
    """

    student: Taps
    teacher: Taps
    labels: Tensor
    adapters: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    indices: Tensor | None = None

    def adapt(self, name: str, *inputs: Any) -> Any:
        """Applies an adapter in training mode; one that the stage does not train infers."""
        return self.adapters[name](*inputs, training=True)


Terms = Callable[[Step], dict[str, Tensor]]


def _no_terms(step: Step) -> dict[str, Tensor]:
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
      adapters: the names of the adapters that the stage trains; it may use others as they are.
      terms: `Step -> {name: unweighted scalar}`, a pure function.
      weights: the weight of each term, by its name.
      task_weight: the weight of the cross-entropy with the labels.
      schedule: a key of `kd_trainer.schedules.SCHEDULES`, or None for the recipe's.
      teacher_mode: `inference`; `batch statistics`, BatchNorm in training mode but nothing
        changed; or `trained`, by the terms that do not stop its gradient.
      jacobians: by name, functions of a network's own taps and the teacher's taps that return a
        scalar, summed over the batch. Its derivative by the network's input images, of their
        shape, is read as the tap of that name, of both networks.
      gradient_bounds: by term, the most that the norm of its gradient may be, for each variable,
        as a share of the norm of the task loss's gradient; beyond it the gradient is scaled down.
      reads_indices: whether `terms` reads `Step.indices`.
    """

    name: str
    epochs: int
    student_taps: tuple[str, ...] = ()
    teacher_taps: tuple[str, ...] = ()
    adapters: tuple[str, ...] = ()
    terms: Terms = _no_terms
    weights: Mapping[str, Weight] = field(default_factory=dict)
    task_weight: float = 1.0
    schedule: str | None = None
    teacher_mode: TeacherMode = "inference"
    jacobians: Mapping[str, Callable[[Taps, Taps], Tensor]] = field(default_factory=dict)
    gradient_bounds: Mapping[str, Weight] = field(default_factory=dict)
    reads_indices: bool = False


def last_stage(
    epochs: int,
    taps: tuple[str, ...],
    terms: Terms,
    weights: Mapping[str, Weight],
    **others: Any,
) -> Stage:
    """Returns the stage of the recipe's epochs, which reads the same taps of both networks.

    Args:
      epochs: of the recipe.
      taps: of the student and of the teacher.
      terms: as `Stage` has them.
      weights: as `Stage` has them.
      **others: what else `Stage` takes.
    """
    return Stage("distil", epochs, taps, taps, terms=terms, weights=weights, **others)


def first_stage(name: str, epochs: int, share: float, **others: Any) -> Stage:
    """Returns a stage without the task before the recipe's own epochs, at a constant rate.

    Args:
      name: as `Stage` has it.
      epochs: of the recipe.
      share: the stage's length as a share of them; it has one epoch at least.
      **others: what else `Stage` takes.
    """
    length = max(1, round(share * epochs))
    return Stage(name, length, task_weight=0.0, schedule="constant", **others)


@dataclass(frozen=True)
class Setting:
    """What a method's adapters are built for.

    Attributes:
      student: the shape, without the batch, of each tap of the student.
      teacher: the same of the teacher.
      teacher_network: the teacher itself, for methods that read its weights.
      labels: class numbers of the training set, in the order of `Step.indices`.
    """

    student: Shapes
    teacher: Shapes
    teacher_network: "keras.Model"
    labels: "np.ndarray"


class Method(ABC):
    """A distillation method: a typed configuration, adapters and stages.

    Its module's docstring is its page: the idea in three sentences, the formula, the presets and
    where they come from, the traps.

    Attributes:
      CATEGORY: what of the teacher is imitated.
      WHOLE_BATCH: why a step is more than a mean over the batch's images, and cannot be computed
        from parts of the batch; empty where it is not.
      Config: the class of its hyper-parameters.
      PRESETS: published settings by name, the default one first; a run records which it used.
    """

    CATEGORY: ClassVar[Category]
    WHOLE_BATCH: ClassVar[str] = ""
    Config: ClassVar[type[MethodConfig]]
    PRESETS: ClassVar[dict[str, dict[str, Any]]]

    def __init__(self, config: MethodConfig, preset: str):
        self.config: Any = config
        self.preset = preset

    @abstractmethod
    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """Returns the stages of a run whose recipe has that many epochs."""

    def whole_batch(self) -> list[str]:
        """Returns why a step needs the whole batch in one place; nothing where it does not."""
        name = type(self).__module__.rpartition(".")[2]
        return [f"{name} {self.WHOLE_BATCH}"] if self.WHOLE_BATCH else []

    def adapters(self, setting: Setting) -> "dict[str, keras.Layer]":
        """Returns built layers by name, which terms use and which are never exported.

        Raises:
          ConfigError: the taps cannot be brought to one shape.
        """
        return {}

    def networks(
        self, student: "keras.Model", teacher: "keras.Model"
    ) -> "tuple[keras.Model, keras.Model]":
        """Returns the network that is trained and exported, and the one in the teacher's place."""
        return student, teacher
