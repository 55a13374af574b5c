"""The inputs for which reference implementations were run, as steps (float64)."""

import numpy as np

from kd_trainer.methods import Method, Step


def wave(function, step: float, shift: float, *shape: int) -> np.ndarray:
    return function(step * np.arange(np.prod(shape)) + shift).reshape(shape)


LABELS = np.array([1, 0, 3, 4])
LOGITS = 3 * wave(np.sin, 0.7, 0.3, 4, 5), 4 * wave(np.cos, 0.5, 0.0, 4, 5)
MAPS = wave(np.sin, 0.31, 0.1, 4, 4, 4, 3), wave(np.cos, 0.23, 0.0, 4, 4, 4, 3)
SMALL_MAPS = wave(np.sin, 0.17, 0.2, 4, 2, 2, 6), wave(np.cos, 0.19, 0.4, 4, 2, 2, 6)
EMBEDDINGS = wave(np.sin, 0.9, 0.2, 4, 6), wave(np.cos, 0.8, 0.0, 4, 6)


def golden_step(**taps: tuple[np.ndarray, np.ndarray]) -> Step:
    """A step of taps that are each the student's and the teacher's."""
    student = {tap: pair[0] for tap, pair in taps.items()}
    teacher = {tap: pair[1] for tap, pair in taps.items()}
    return Step(student, teacher, LABELS)


def weighted(method: Method, step: Step, epoch: int = 10**6) -> float:
    """The sum of the last stage's terms, weighted as in that epoch; the task is not in it."""
    stage = method.stages(100)[-1]
    terms = stage.terms(step)
    assert set(terms) == set(stage.weights)
    weights = {name: w(epoch) if callable(w) else w for name, w in stage.weights.items()}
    return sum(weight * float(terms[name]) for name, weight in weights.items())
