"""Several methods at once.

Their last stages are merged into one: the union of their taps and adapters, the sum of their
terms, each multiplied by its method's weight. The weight of the task is the first method's.
Stages before the last come first, one method's after another's, in the order given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from kd_trainer.errors import ConfigError
from kd_trainer.methods.base import Method, MethodConfig, Setting, Stage, Step, Tensor, Weight

if TYPE_CHECKING:
    import keras


class Combination(Method):
    """Several methods as one.

    Args:
      names: of the methods, which their stages, terms and adapters are prefixed by.
      methods: the methods, in the same order.
      weights: what each method's terms are multiplied by, above 0.

    Raises:
      ConfigError: no method, one twice, a weight that is none, or one that puts networks of its
        own in the place of student or teacher.
    """

    CATEGORY = "response"
    Config = MethodConfig
    PRESETS = {}  # noqa: RUF012

    def __init__(self, names: Sequence[str], methods: Sequence[Method], weights: Sequence[float]):
        super().__init__(MethodConfig(), "")
        if not names or len(set(names)) < len(names):
            raise ConfigError(
                f"method: found the combination [{', '.join(names)}]; expected one or more "
                "methods, each once."
            )
        for name, method, weight in zip(names, methods, weights, strict=True):
            number = isinstance(weight, int | float) and not isinstance(weight, bool)
            if not number or not 0 < weight < float("inf"):
                raise ConfigError(
                    f"method: the weight of {name!r} is {weight!r}; expected a number above 0."
                )
            if type(method).networks is not Method.networks:
                raise ConfigError(
                    f"method: {name!r} trains the teacher too and does not combine with others. "
                    "Use it alone."
                )
        self._members = list(zip(names, methods, weights, strict=True))

    def whole_batch(self) -> list[str]:
        """The reasons of all methods."""
        return [reason for _, method, _ in self._members for reason in method.whole_batch()]

    def adapters(self, setting: Setting) -> "dict[str, keras.Layer]":
        """Those of all methods."""
        return {
            f"{name}_{adapter}": layer
            for name, method, _ in self._members
            for adapter, layer in method.adapters(setting).items()
        }

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        """The earlier stages of each, and one that is the last of all.

        Raises:
          ConfigError: the last stages need the teacher in different modes.
        """
        earlier, last = [], []
        for name, method, weight in self._members:
            *before, end = (_prefixed(name, weight, stage) for stage in method.stages(epochs))
            earlier += before
            last.append(end)
        return *earlier, self._merged(last)

    def _merged(self, stages: Sequence[Stage]) -> Stage:
        # A stage that reads no teacher asks for no mode.
        modes = {stage.teacher_mode for stage in stages if stage.teacher_taps}
        if len(modes) > 1:
            names = ", ".join(name for name, _, _ in self._members)
            raise ConfigError(
                f"method: {names} need the teacher in the modes {', '.join(sorted(modes))} at the "
                "same time and do not combine."
            )

        def terms(step: Step) -> dict[str, Tensor]:
            return {name: value for stage in stages for name, value in stage.terms(step).items()}

        def union(attribute: str) -> Any:
            values = [getattr(stage, attribute) for stage in stages]
            if isinstance(values[0], Mapping):
                return {key: value for mapping in values for key, value in mapping.items()}
            return tuple(dict.fromkeys(value for several in values for value in several))

        return replace(
            stages[0],
            name="distil",
            student_taps=union("student_taps"),
            teacher_taps=union("teacher_taps"),
            adapters=union("adapters"),
            terms=terms,
            weights=union("weights"),
            teacher_mode=next(iter(modes), "inference"),
            jacobians=union("jacobians"),
            gradient_bounds=union("gradient_bounds"),
            reads_indices=any(stage.reads_indices for stage in stages),
        )


def _prefixed(method: str, weight: float, stage: Stage) -> Stage:
    """Returns a method's stage under names that no other method's has, its terms weighted."""

    def prefix(names: Mapping[str, Any]) -> dict[str, Any]:
        return {f"{method}_{name}": value for name, value in names.items()}

    def terms(step: Step) -> dict[str, Tensor]:
        start = f"{method}_"
        own = replace(
            step,
            student=_own(step.student, start),
            teacher=_own(step.teacher, start),
            adapters={
                name.removeprefix(start): adapter
                for name, adapter in step.adapters.items()
                if name.startswith(start)
            },
        )
        return prefix(stage.terms(own))

    weights = {name: _times(weight, course) for name, course in stage.weights.items()}
    return replace(
        stage,
        name=f"{method}_{stage.name}",
        adapters=tuple(f"{method}_{name}" for name in stage.adapters),
        terms=terms,
        weights=prefix(weights),
        jacobians=prefix(stage.jacobians),
        gradient_bounds=prefix(stage.gradient_bounds),
    )


def _own(taps: Mapping[str, Tensor], start: str) -> dict[str, Tensor]:
    """Returns the taps and, under their own names, the derivatives that are a method's."""
    return {name.removeprefix(start): tap for name, tap in taps.items()}


def _times(weight: float, course: Weight) -> Weight:
    if callable(course):
        return lambda epoch: weight * course(epoch)
    return weight * course
