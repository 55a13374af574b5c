"""A step whose teacher's outputs are kept, over a plain student step."""

import argparse
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import keras

from benchmarks.speed import options as shared
from benchmarks.speed.paired import Rounds, Subject
from benchmarks.speed.subjects import CLASSES, batch, labels
from kd_trainer.data import Dataset, TrainingBatches
from kd_trainer.distiller import Distiller
from kd_trainer.methods import create
from kd_trainer.methods.base import Stage
from kd_trainer.networks import build
from kd_trainer.precision import in_precision
from kd_trainer.recipe import Recipe
from kd_trainer.taught_batches import TaughtBatches
from kd_trainer.teacher_outputs import TeacherOutputs
from kd_trainer.training import fit_taps

TITLE = "A step with a teacher's kept outputs over a plain student step"
METHODS = ("soft_logits", "dkd", "dist", "logit_standardization", "pkt", "rkd", "crd")
HEAD = [
    "An epoch of `fit` on random images, input pipeline and loop included, of a second training",
    "with the same teacher, which finds all outputs. Seconds a step are medians; ratios are the",
    "rounds': median [least-most]. The last column is of the fastest round of each, for a machine",
    "whose speed changes within a round.",
    "",
    "| method | batch | kept, s | plain, s | kept over plain | fastest over fastest |",
    "|---|---|---|---|---|---|",
]
# So few that a machine which is slow for some seconds is so for both.
STEPS = 4


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what the table can be asked for."""
    shared.add_pair(parser, [64])
    shared.add_precision(parser)
    shared.add_rounds(parser, 5)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), metavar="METHOD")


def lines(options: argparse.Namespace) -> list[str]:
    """Measures, and returns the table."""
    rows = []
    for size in options.batches:
        for method in options.methods:
            keras.backend.clear_session()
            with ExitStack() as held:
                rounds = Rounds(_subjects(options, size, method, held), options.rounds)
            kept, plain = (f"{rounds.median(name):.3f}" for name in ("kept", "plain"))
            ratio = rounds.ratio("kept", "plain")
            fastest = rounds.fastest("kept") / rounds.fastest("plain")
            rows.append(f"| {method} | {size} | {kept} | {plain} | {ratio} | {fastest:.2f} |")
            print(rows[-1], flush=True)
    setting = f"{options.teacher} -> {options.student}, {options.precision}."
    return [setting, "", *HEAD, *rows]


def _subjects(
    options: argparse.Namespace, size: int, name: str, held: ExitStack
) -> dict[str, Subject]:
    def built(network: str) -> keras.Model:
        return in_precision(build(network, CLASSES), options.precision)

    recipe = Recipe(batch_size=size, precision=options.precision)
    data = Dataset(*batch(size * STEPS))
    method, teacher = create({"name": name}), built(options.teacher)
    (stage,) = method.stages(1)
    folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
    cache = held.enter_context(TeacherOutputs(folder, 1).of(teacher, stage, data, recipe))

    def epoch(stage: Stage, kept: bool) -> Subject:
        student = built(options.student)
        adapters = fit_taps(teacher, student, method, 1, labels())
        distiller = Distiller(student, stage, teacher, adapters, recipe.weight_decay, kept)
        distiller.compile(keras.optimizers.SGD(0.05, momentum=0.9), jit_compile=False)

        def subject() -> float:
            # New ones start from the first epoch, whose views are kept.
            order = (data, recipe, 0, 0, stage.reads_indices)
            batches = TaughtBatches(cache, *order) if kept else TrainingBatches(*order)
            start = time.perf_counter()
            distiller.fit(batches, verbose=0)
            return (time.perf_counter() - start) / STEPS

        return subject

    return {
        "kept": epoch(stage, kept=True),
        "plain": epoch(Stage("task", 1), kept=False),
    }
