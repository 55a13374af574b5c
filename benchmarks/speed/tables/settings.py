"""Test accuracy by the fast settings and by plain float32, after the same epochs."""

import argparse
import statistics
from contextlib import nullcontext

import keras

from benchmarks.accuracy.__main__ import RECIPE, STUDENT, TEACHER, TEACHER_RECIPE, load
from benchmarks.speed import options as shared
from benchmarks.speed.plainly import without
from kd_trainer import methods, training
from kd_trainer.networks import build

TITLE = "Accuracy by the fast settings and by plain float32"
SETTINGS = ("plain float32", "float32", "bfloat16")
HEAD = [
    "`plain float32`: Keras's own BatchNormalization, the teacher's not folded; `float32`: what",
    "a recipe gives, `bfloat16` with `recipe.precision=bfloat16`. One teacher, trained plainly;",
    "students of one seed start from the same weights and see the same batches. Per cent of the",
    "test images after the last epoch: mean over the seeds; the difference to plain float32 is",
    "paired by seed, with the half-width of its 95 % interval (Student's t).",
    "",
    "| trained by | setting | seeds | accuracy, % | difference |",
    "|---|---|---|---|---|",
]
_T = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365}  # 97.5 %, n - 1


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what the table can be asked for."""
    shared.add_data(parser)
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--methods", nargs="+", default=["baseline", "soft_logits"])


def lines(options: argparse.Namespace) -> list[str]:
    """Trains, and returns the table."""
    splits = load(str(options.data), options.classes)
    data = {"train_set": splits["train"], "eval_set": splits["test"], "name": "benchmark"}
    with without("fused", "folded"):
        taught, _ = training.train_alone(TEACHER, options.classes, TEACHER_RECIPE, 0, **data)
    rows = []
    for method in options.methods:
        found: dict[str, list[float]] = {setting: [] for setting in SETTINGS}
        for seed in options.seeds:
            for setting in SETTINGS:
                found[setting].append(
                    100 * _accuracy(method, setting, seed, options.classes, taught, data)
                )
                print(method, setting, seed, f"{found[setting][-1]:.2f}", flush=True)
        for setting in SETTINGS:
            rows.append(
                f"| {method} | {setting} | {len(options.seeds)} "
                f"| {statistics.mean(found[setting]):.2f} "
                f"| {difference(found[setting], found[SETTINGS[0]])} |"
            )
    setting = (
        f"{TEACHER} -> {STUDENT}, {options.classes} classes ({len(splits['train']):,} training and "
        f"{len(splits['test']):,} test images), {RECIPE.epochs} epochs, batch {RECIPE.batch_size}."
    )
    return [setting, "", *HEAD, *rows]


def difference(ours: list[float], theirs: list[float]) -> str:
    """Returns the mean of the paired differences and the half-width of its 95 % interval."""
    differences = [one - other for one, other in zip(ours, theirs, strict=True)]
    mean = statistics.mean(differences)
    if len(differences) not in _T:
        return f"{mean:+.2f}"
    width = _T[len(differences)] * statistics.stdev(differences) / len(differences) ** 0.5
    return f"{mean:+.2f} ± {width:.2f}"


def _accuracy(
    method: str, setting: str, seed: int, classes: int, taught: keras.Model, data: dict
) -> float:
    keras.backend.clear_session()
    precision = "bfloat16" if setting == "bfloat16" else "float32"
    recipe = RECIPE.model_copy(update={"precision": precision})

    with without("fused", "folded") if setting == SETTINGS[0] else nullcontext():
        if method == "baseline":
            student, _ = training.train_alone(STUDENT, classes, recipe, seed, **data)
        else:
            # A copy: a cleared session forgets the names of the teacher's own.
            own = build(TEACHER, classes)
            own.set_weights(taught.get_weights())
            spec = methods.create({"name": method})
            student, _ = training.distil(own, STUDENT, spec, classes, recipe, seed, **data)
    return training.accuracy(student, data["eval_set"])["top1"]
