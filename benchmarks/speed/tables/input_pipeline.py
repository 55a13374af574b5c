"""What it takes to make augmented batches of TFRecords."""

import argparse
import tempfile
import time
from pathlib import Path

import keras

from benchmarks.speed import options as shared
from benchmarks.speed.paired import Rounds, Subject
from benchmarks.speed.records import written
from kd_trainer import examples
from kd_trainer.data import TrainingBatches
from kd_trainer.recipe import Recipe

TITLE = "From TFRecords to augmented batches"
HEAD = [
    "CPU time of all threads, in microseconds an image: median [least-most] of the rounds. The",
    "records are read once a training, the others are of every epoch.",
    "",
    "| | us an image |",
    "|---|---|",
]


class Idle(keras.Model):
    """Takes batches and does nothing with them."""

    def train_step(self, data):
        """Does nothing."""
        return {"loss": keras.ops.zeros(())}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what the table can be asked for."""
    shared.add_data(parser)
    shared.add_rounds(parser, 5)
    parser.add_argument("--batch", type=int, default=128, metavar="IMAGES")


def lines(options: argparse.Namespace) -> list[str]:
    """Measures, and returns the table."""
    with tempfile.TemporaryDirectory() as folder:
        pattern = str(written(options.data, Path(folder, "examples")) / "Split-train" / "*")
        dataset = examples.load([pattern])
        recipe = Recipe(batch_size=options.batch)
        batches = TrainingBatches(dataset, recipe, seed=0)
        idle = Idle()
        idle.compile(jit_compile=False)

        def crop_and_flip() -> None:
            for index in range(len(batches)):
                batches[index]

        subjects = {
            "read and parse": _cpu(lambda: examples.load([pattern]), len(dataset)),
            "crop and flip": _cpu(crop_and_flip, len(dataset)),
            "the same, handed to the step by `fit`": _cpu(
                lambda: idle.fit(batches, verbose=0), len(dataset)
            ),
        }
        rounds = Rounds(subjects, options.rounds)
    rows = []
    for name, seconds in rounds.seconds.items():
        least, most = min(seconds) * 1e6, max(seconds) * 1e6
        rows.append(f"| {name} | {rounds.median(name) * 1e6:.1f} [{least:.1f}-{most:.1f}] |")
    return [f"{len(dataset):,} images, batches of {options.batch}.", "", *HEAD, *rows]


def _cpu(work, images: int) -> Subject:
    def subject() -> float:
        start = time.process_time()
        work()
        return (time.process_time() - start) / images

    return subject
