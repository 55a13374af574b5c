"""Students of one teacher that train at once, over the same ones one after the other."""

import argparse
import multiprocessing
import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmarks.speed import memory
from benchmarks.speed import options as shared
from benchmarks.speed.paired import Rounds, Subject

TITLE = "Students that train at once on one pass of their teacher, over one after the other"
METHODS = ("soft_logits", "attention_transfer", "rkd", "dkd", "pkt", "similarity_preserving")
METHODS += ("dist", "logit_standardization")
HEAD = [
    "Each training is a process of its own, of two epochs on random images, the first of which",
    "traces the graphs and is left out. Seconds are medians, those of a step of all students;",
    "ratios are the rounds': median [least-most]. Memory is by how much training raises the peak.",
    "",
    "| students | batch | at once, s | one by one, s | ratio | at once, MB | one by one, MB |",
    "|---|---|---|---|---|---|---|",
]
STEPS = 10


class Setting(NamedTuple):
    """What is trained.

    Attributes:
      teacher: a network's name.
      student: a network's name.
      methods: of each student.
      batch: images a step.
      precision: of the networks.
    """

    teacher: str
    student: str
    methods: Sequence[str]
    batch: int
    precision: Any


class Taken(NamedTuple):
    """What training took: seconds a step of all students, and memory."""

    seconds: float
    megabytes: float


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what the table can be asked for."""
    shared.add_pair(parser, [64])
    shared.add_precision(parser)
    shared.add_rounds(parser, 3)
    parser.add_argument(
        "--students", nargs="+", type=int, default=[len(METHODS)], metavar="N", help="how many"
    )


def lines(options: argparse.Namespace) -> list[str]:
    """Measures, and returns the table."""
    rows = []
    for batch in options.batches:
        for count in options.students:
            rows.append(_row(options, batch, count))
            print(rows[-1], flush=True)
    setting = f"{options.teacher} -> {options.student}, {options.precision}."
    return [setting, "", *HEAD, *rows]


def _row(options: argparse.Namespace, batch: int, count: int) -> str:
    setting = Setting(options.teacher, options.student, METHODS[:count], batch, options.precision)
    kept: dict[str, list[float]] = {}

    def subject(name: str, train: Any) -> Subject:
        def run() -> float:
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                taken = pool.apply(train, (setting,))
            kept.setdefault(name, []).append(taken.megabytes)
            return taken.seconds

        return run

    subjects = {"at once": subject("at once", at_once), "by turns": subject("by turns", by_turns)}
    # Every process is a fresh one: there is nothing to warm up.
    rounds = Rounds(subjects, options.rounds, warm_ups=0)
    cells = [
        *(str(number) for number in (count, batch)),
        *(f"{rounds.median(name):.2f}" for name in subjects),
        str(rounds.ratio("at once", "by turns")),
        *(f"{statistics.median(kept[name]):,.0f}" for name in subjects),
    ]
    return f"| {' | '.join(cells)} |"


def at_once(setting: Setting) -> Taken:
    """Trains all students at once."""
    from kd_trainer.methods import create
    from kd_trainer.together import Student, distil_together

    given, before = _given(setting), memory.start()
    students = {
        name: Student(setting.student, create({"name": name}), {"name": name})
        for name in setting.methods
    }
    teacher, classes, recipe, data = given
    trained = distil_together(teacher, students, classes, recipe, 0, data, None)
    seconds = max(_second_epoch(future.result()[1]) for future in trained.values())
    return Taken(seconds / STEPS, (memory.peak() - before) / 1e6)


def by_turns(setting: Setting) -> Taken:
    """Trains one student after the other, each with its own pass of the teacher."""
    from kd_trainer.methods import create
    from kd_trainer.training import distil

    given, before = _given(setting), memory.start()
    teacher, classes, recipe, data = given
    seconds = 0.0
    for name in setting.methods:
        _, history = distil(
            teacher,
            setting.student,
            create({"name": name}),
            classes,
            recipe,
            0,
            train_set=data,
            eval_set=None,
            name=name,
        )
        seconds += _second_epoch(history)
    return Taken(seconds / STEPS, (memory.peak() - before) / 1e6)


def _second_epoch(history: Sequence[dict[str, Any]]) -> float:
    _, row = history
    return row["seconds"]


def _given(setting: Setting) -> tuple[Any, int, Any, Any]:
    """Returns teacher, number of classes, recipe and data."""
    # Imported in the process that is measured alone.
    from benchmarks.speed.subjects import CLASSES, batch
    from kd_trainer.data import Dataset
    from kd_trainer.networks import build
    from kd_trainer.recipe import Recipe

    # So low that nothing diverges, which says nothing of time.
    recipe = Recipe(
        epochs=2, batch_size=setting.batch, precision=setting.precision, learning_rate=1e-6
    )
    data = Dataset(*batch(setting.batch * STEPS))
    return build(setting.teacher, CLASSES), CLASSES, recipe, data
