"""What each choice makes of a soft-logits step."""

import argparse
import time
from contextlib import nullcontext

import keras

from benchmarks.speed import options as shared
from benchmarks.speed.paired import Rounds, Subject
from benchmarks.speed.plainly import without
from benchmarks.speed.subjects import CLASSES, batch
from kd_trainer.data import Dataset, TrainingBatches
from kd_trainer.distiller import Distiller
from kd_trainer.methods import create
from kd_trainer.networks import build
from kd_trainer.precision import in_precision
from kd_trainer.recipe import Recipe

TITLE = "What each choice makes of a soft-logits step"
HEAD = [
    "An epoch of `fit`, input pipeline and loop included. `as it is` is a recipe's default; the",
    "others differ from it in one choice. Seconds a step are medians; ratios are the rounds':",
    "median [least-most]. Above 1 the choice that was made is the faster one.",
    "",
    "| | batch | step, s | over as it is |",
    "|---|---|---|---|",
]
STEPS = 8
CHOICES: dict[str, dict] = {
    "as it is": {},
    "Keras's own BatchNormalization": {"plain": ["fused"]},
    "the teacher's BatchNormalization not folded": {"plain": ["folded"]},
    "neither": {"plain": ["fused", "folded"]},
    "XLA (`jit_compile`)": {"jit_compile": True},
    f"`steps_per_execution` {STEPS}": {"steps_per_execution": STEPS},
    "`recipe.precision=bfloat16`": {"precision": "bfloat16"},
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what the table can be asked for."""
    shared.add_pair(parser, [64])
    shared.add_rounds(parser, 5)


def lines(options: argparse.Namespace) -> list[str]:
    """Measures, and returns the table."""
    rows = []
    for size in options.batches:
        subjects = {name: _epoch(options, size, **choice) for name, choice in CHOICES.items()}
        rounds = Rounds(subjects, options.rounds)
        for name in subjects:
            ratio = rounds.ratio(name, "as it is")
            rows.append(f"| {name} | {size} | {rounds.median(name):.3f} | {ratio} |")
    return [f"{options.teacher} -> {options.student}.", "", *HEAD, *rows]


def _epoch(
    options: argparse.Namespace,
    size: int,
    plain: tuple[str, ...] = (),
    jit_compile: bool = False,
    steps_per_execution: int = 1,
    precision: str = "float32",
) -> Subject:
    data = Dataset(*batch(size * STEPS))
    batches = TrainingBatches(data, Recipe(batch_size=size), seed=0)
    teacher, student = (
        in_precision(build(name, CLASSES), precision) for name in (options.teacher, options.student)
    )
    (stage,) = create({"name": "soft_logits"}).stages(1)
    with without(*plain) if plain else nullcontext():
        distiller = Distiller(student, stage, teacher, {}, 5e-4)
    distiller.compile(
        keras.optimizers.SGD(0.05, momentum=0.9),
        jit_compile=jit_compile,
        steps_per_execution=steps_per_execution,
    )

    def subject() -> float:
        start = time.perf_counter()
        distiller.fit(batches, verbose=0)
        return (time.perf_counter() - start) / STEPS

    return subject
