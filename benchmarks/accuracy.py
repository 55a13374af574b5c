"""Test accuracy of the teacher, the baseline and each method on the shipped sample.

    python benchmarks/accuracy.py [--seeds 0 1 2] [--out benchmarks/results/accuracy-sample.md]

The networks and the recipe are those of the preset `quick`. For each seed a teacher is trained;
baseline and students of a seed start from the same weights and see the same batches. The last
epoch is reported.
"""

import argparse
import platform
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path

from components.cifar100_example_gen import output, reader
from components.cifar100_example_gen.sample import SAMPLE
from kd_trainer import methods, training
from kd_trainer.data import Dataset
from pipeline import config

NUM_CLASSES = 100


def main() -> None:
    """Trains everything and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/accuracy-sample.md"))
    options = parser.parse_args()

    run = config.load("quick")
    official = reader.load(str(SAMPLE))[1]
    splits = {
        name: Dataset(records.images, records.labels)
        for name, records in output.output_splits(official, run.data.eval_fraction, None).items()
    }
    data = {"train_set": splits["train"], "eval_set": None, "name": "benchmark"}
    top1: dict[str, list[float]] = {}

    def record(row: str, network: object) -> None:
        top1.setdefault(row, []).append(100 * training.accuracy(network, splits["test"])["top1"])
        print(f"{row}: {top1[row][-1]:.2f}", flush=True)

    start = time.perf_counter()
    small = run.student.network
    for seed in options.seeds:
        teacher = training.train_alone(
            run.teacher.network, NUM_CLASSES, run.teacher.recipe, seed, **data
        )
        record(f"teacher {run.teacher.network}", teacher)
        alone = training.train_alone(small, NUM_CLASSES, run.recipe, seed, **data)
        record(f"baseline {small}", alone)
        for name in methods.METHODS:
            for preset in methods.method_class(name).PRESETS:
                method = methods.create({"name": name, "preset": preset})
                try:
                    student, _ = training.distil(
                        teacher, small, method, NUM_CLASSES, run.recipe, seed, **data
                    )
                except FloatingPointError as error:
                    print(f"{name} {preset}: {error}", flush=True)
                    top1.setdefault(f"{name}, {preset}", []).append(float("nan"))
                    continue
                record(f"{name}, {preset}", student)

    baseline = statistics.mean(top1[f"baseline {small}"])
    lines = [
        "# Test accuracy on the shipped sample",
        "",
        f"`python {' '.join(sys.argv)}`, seeds {options.seeds}, "
        f"{time.perf_counter() - start:.0f} s on {platform.processor() or platform.machine()}; "
        + ", ".join(f"{name} {version(name)}" for name in ("tensorflow", "keras", "numpy")),
        "",
        "| | top-1 %, mean | deviation | gain over the baseline | runs |",
        "|---|---|---|---|---|",
    ]
    for row, values in top1.items():
        if any(value != value for value in values):
            lines.append(f"| {row} | diverged | | | |")
            continue
        mean = statistics.mean(values)
        deviation = statistics.stdev(values) if len(values) > 1 else float("nan")
        runs = ", ".join(f"{value:.2f}" for value in values)
        lines.append(f"| {row} | {mean:.2f} | {deviation:.2f} | {mean - baseline:+.2f} | {runs} |")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
