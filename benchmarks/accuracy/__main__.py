"""Test accuracy of a teacher, the baseline and every method, over several seeds.

    python -m benchmarks.accuracy [--data ARCHIVE] [--classes 20] [--seeds 0 1 2] [--rows ROW ...]

One teacher is trained, with seed 0; then, seed by seed, the student alone and by every method at
its default preset. Students of one seed start from the same weights and see the same batches.
Every finished run is kept in the ledger, `<out>.jsonl`: a benchmark that was stopped goes on where
it was, and the table, `<out>.md`, is of whatever is finished.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras

from benchmarks.accuracy import table
from benchmarks.accuracy.ledger import Ledger
from benchmarks.accuracy.splits import load
from components.cifar100_example_gen.sample import SAMPLE
from kd_trainer import methods, training
from kd_trainer.data import Dataset
from kd_trainer.methods import resolve
from kd_trainer.recipe import Recipe

TEACHER, STUDENT = "resnet20", "resnet8"
RECIPE = Recipe(epochs=6, batch_size=64, learning_rate=0.1, schedule="cosine", warmup_epochs=1)
TEACHER_RECIPE = RECIPE.model_copy(update={"epochs": 12})
BASELINE = "baseline"
# Beside the methods alone.
COMBINATIONS = ["soft_logits + attention_transfer"]


def main() -> None:
    """Trains what the ledger lacks and writes the table."""
    options = _options()
    splits = load(options.data, options.classes)
    out = options.out
    out.parent.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(out.with_suffix(".jsonl"))
    data = {"train_set": splits["train"], "eval_set": splits["test"], "name": "benchmark"}

    # Not kept with the results: it can be trained again.
    teacher_file = Path("workdir", "benchmarks", f"{out.name}-teacher.keras")
    if not teacher_file.exists() or not ledger.has("teacher", 0):
        start = time.perf_counter()
        teacher, history = training.train_alone(TEACHER, options.classes, TEACHER_RECIPE, 0, **data)
        teacher_file.parent.mkdir(parents=True, exist_ok=True)
        teacher.save(teacher_file)
        if not ledger.has("teacher", 0):
            ledger.add("teacher", 0, TEACHER, history, time.perf_counter() - start)
            print(ledger.describe("teacher", 0), flush=True)
    teacher = keras.models.load_model(teacher_file)

    def write() -> None:
        text = table.render(ledger, command(options), setting(options, splits))
        out.with_suffix(".md").write_text(text, encoding="utf-8")

    for seed in options.seeds:
        for row, spec in rows(options.rows):
            if ledger.has(row, seed):
                continue
            start = time.perf_counter()
            try:
                if spec is None:
                    _, history = training.train_alone(
                        STUDENT, options.classes, RECIPE, seed, **data
                    )
                else:
                    _, history = training.distil(
                        teacher,
                        STUDENT,
                        methods.create(spec),
                        options.classes,
                        RECIPE,
                        seed,
                        **data,
                    )
                failure = None
            except FloatingPointError as error:
                history, failure = [], str(error)
            label = methods.label(spec) if spec else STUDENT
            ledger.add(row, seed, label, history, time.perf_counter() - start, failure)
            print(ledger.describe(row, seed), flush=True)
            write()
    write()
    print(out.with_suffix(".md").read_text(encoding="utf-8"))


def rows(chosen: list[str]) -> Iterator[tuple[str, Any]]:
    """Yields the name and the method's specification of each row, None for the baseline.

    Args:
      chosen: names: `baseline`, a method, `method/preset`, or several joined by ` + `; none for
        the baseline, every method and the combinations.
    """
    for row in chosen or [BASELINE, *methods.METHODS, *COMBINATIONS]:
        if row == BASELINE:
            yield row, None
            continue
        members = [
            dict(zip(("name", "preset"), m.split("/"), strict=False)) for m in row.split(" + ")
        ]
        yield row, resolve(members if len(members) > 1 else members[0])


def command(options: argparse.Namespace) -> str:
    """Returns what makes the table, without the folders of this machine."""
    data = "" if options.data == str(SAMPLE) else f" --data {Path(options.data).name}"
    return f"python -m benchmarks.accuracy{data} --classes {options.classes}"


def setting(options: argparse.Namespace, splits: dict[str, Dataset]) -> str:
    """Returns what was trained on what, in words."""
    return (
        f"{TEACHER} -> {STUDENT}, {options.classes} classes of CIFAR-100 "
        f"({len(splits['train']):,} training and {len(splits['test']):,} test images), "
        f"{TEACHER_RECIPE.epochs} epochs for the teacher, {RECIPE.epochs} for the student (stages "
        f"that come before are added), batch {RECIPE.batch_size}, Nesterov SGD "
        f"{RECIPE.learning_rate}, cosine, weight decay {RECIPE.weight_decay}, crop and flip"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default=str(SAMPLE), help="archive of CIFAR-100 (the sample)")
    parser.add_argument("--classes", type=int, default=10, help="how many classes (10)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rows", nargs="+", default=[], help="some alone, such as fitnet/paper")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/accuracy/sample"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
