"""How time and memory grow with images, classes, batch and number of methods."""

import argparse
import math
import multiprocessing
import statistics
from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmarks.speed import memory

TITLE = "How time and memory grow"
HEAD = [
    "Each point is measured in a process of its own: the median of three turns, and by how much",
    "they raise the peak of its memory. The exponent is that of the power of n that fits best",
    "(least squares of the logarithms); 1 is linear.",
    "",
    "| what | n | seconds | exponent | memory, MB | exponent |",
    "|---|---|---|---|---|---|",
]
TURNS = 3
TEACHER, STUDENT = "resnet20", "resnet8"
STACKED = ("soft_logits", "attention_transfer", "rkd", "pkt", "similarity_preserving", "dkd")
STACKED += ("nst", "correlation_congruence")


class Point(NamedTuple):
    """What a subject took."""

    seconds: float
    megabytes: float


class Series(NamedTuple):
    """What is measured, and at which n."""

    what: str
    make: Callable[..., Callable[[], float]]
    arguments: tuple
    at: Sequence[int]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what the table can be asked for."""
    parser.add_argument("--only", default="", metavar="WORD", help="the rows with this word")
    parser.add_argument("--at", nargs="+", type=int, metavar="N", help="other numbers")


def lines(options: argparse.Namespace) -> list[str]:
    """Measures, and returns the table."""
    rows = []
    for what, make, arguments, at in SERIES:
        if options.only not in what:
            continue
        at = options.at or at
        points = [measured(make, *arguments, n) for n in at]
        seconds, megabytes = zip(*points, strict=True)
        listed = [
            ", ".join(f"{n:,}" for n in at),
            ", ".join(f"{value:.3g}" for value in seconds),
            f"{exponent(at, seconds):.2f}",
            ", ".join(f"{value:,.0f}" for value in megabytes),
            f"{exponent(at, megabytes):.2f}",
        ]
        rows.append(f"| {what} | {' | '.join(listed)} |")
        print(rows[-1], flush=True)
    return [f"Steps are of {TEACHER} -> {STUDENT}, float32.", "", *HEAD, *rows]


def exponent(at: Sequence[int], values: Sequence[float]) -> float:
    """Returns the slope of the values' logarithms over those of n; nan if one is not positive."""
    if min(values) <= 0 or len(at) < 2:
        return math.nan
    return statistics.linear_regression(list(map(math.log, at)), list(map(math.log, values))).slope


def measured(make: Callable[..., Callable[[], float]], *arguments: object) -> Point:
    """Makes a subject in a process of its own and runs it."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (make, arguments))


def _measure(make: Callable[..., Callable[[], float]], arguments: tuple) -> Point:
    subject = make(*arguments)
    before = memory.start()
    subject()  # where TensorFlow traces it
    seconds = statistics.median(subject() for _ in range(TURNS))
    return Point(seconds, (memory.peak() - before) / 1e6)


def epoch_of_input(images: int) -> Callable[[], float]:
    """An epoch of augmented batches, data included."""
    import time

    import numpy as np

    from kd_trainer.data import Dataset, TrainingBatches
    from kd_trainer.recipe import Recipe

    def subject() -> float:
        start = time.perf_counter()
        drawn = np.random.default_rng(0).integers(0, 256, (images, 32, 32, 3), dtype=np.uint8)
        batches = TrainingBatches(Dataset(drawn, np.zeros(images, int)), Recipe(), 0)
        for index in range(len(batches)):
            batches[index]
        return time.perf_counter() - start

    return subject


def step_by_images(method: str, images: int) -> Callable[[], float]:
    """A step of a method whose data has so many images."""
    return _step({"name": method}, images=images)


def step_by_classes(method: str, classes: int) -> Callable[[], float]:
    """A step of a method on networks with so many logits."""
    return _step({"name": method}, classes=classes)


def step_by_batch(method: str, batch: int) -> Callable[[], float]:
    """A step of a method on so many images."""
    return _step({"name": method}, batch=batch)


def step_of_many(count: int) -> Callable[[], float]:
    """A step of so many methods combined."""
    return _step([{"name": name} for name in STACKED[:count]])


def _step(spec: object, batch: int = 64, **size: int) -> Callable[[], float]:
    # Imported in the process that is measured alone.
    from benchmarks.speed.subjects import Steps

    return Steps(STUDENT, TEACHER, batch, **size).distillation(spec)


BATCHES = (64, 128, 256, 512)
SERIES = [
    Series("input, by images", epoch_of_input, (), (2_000, 10_000, 50_000)),
    *(
        Series(f"{name}, by images", step_by_images, (name,), (2_000, 10_000, 50_000))
        for name in ("soft_logits", "crd")
    ),
    *(
        Series(f"{name}, by classes", step_by_classes, (name,), (10, 100, 1_000))
        for name in ("soft_logits", "dkd", "dist", "mhgd")
    ),
    *(
        Series(f"{name}, by batch", step_by_batch, (name,), BATCHES)
        for name in ("soft_logits", "rkd", "nst", "kd_svd", "kd_eid", "pkt")
    ),
    Series("methods combined", step_of_many, (), (1, 2, 4, 8)),
]
