"""What the tests of methods on features share."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kd_trainer.losses import cross_entropy
from kd_trainer.methods import Stage, Step


def wave(function: Callable, step: float, shift: float, *shape: int) -> np.ndarray:
    return function(step * np.arange(np.prod(shape)) + shift).reshape(shape)


# The inputs for which reference implementations were run.
LABELS = np.array([1, 0, 3, 4])
STUDENT = {
    "one": wave(np.sin, 0.31, 0.1, 4, 4, 4, 3),
    "two": wave(np.sin, 0.17, 0.2, 4, 2, 2, 6),
    "logits": 3 * wave(np.sin, 0.7, 0.3, 4, 5),
}
TEACHER = {
    "one": wave(np.cos, 0.23, 0.0, 4, 4, 4, 3),
    "two": wave(np.cos, 0.19, 0.4, 4, 2, 2, 6),
    "logits": 4 * wave(np.cos, 0.5, 0.0, 4, 5),
}
SHAPES = {tap: value.shape[1:] for tap, value in STUDENT.items()}


def identity(*inputs: Any, training: bool) -> Any:
    return inputs[0]


def terms(
    stage: Stage,
    student: Mapping = STUDENT,
    teacher: Mapping = TEACHER,
    adapters: Mapping[str, Callable] | None = None,
) -> dict[str, float]:
    """The unweighted terms of a stage."""
    found = stage.terms(Step(student, teacher, LABELS, adapters or {}))
    assert found.keys() == stage.weights.keys()
    return {name: float(value) for name, value in found.items()}


def weighted(stage: Stage, *taps: Mapping, epoch: int = 0, **adapters: Callable) -> float:
    """The weighted sum of a stage's terms and its task loss on some taps."""
    total = 0.0
    if stage.task_weight:
        student = taps[0] if taps else STUDENT
        total = stage.task_weight * float(cross_entropy(student["logits"], LABELS))
    for name, value in terms(stage, *taps, adapters=adapters).items():
        weight = stage.weights[name]
        total += (weight(epoch) if callable(weight) else weight) * value
    return total


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")
