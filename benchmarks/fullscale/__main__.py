"""Test accuracy on all of CIFAR-100, by the published recipes, on Keras's JAX backend.

    python -m benchmarks.fullscale train --data ARCHIVE [--budget SECONDS] [--rows ROW ...]
    python -m benchmarks.fullscale table
    python -m benchmarks.fullscale pack --data ARCHIVE
    python -m benchmarks.fullscale collect FOLDER

`train` goes through the rows of `benchmarks.fullscale.rows`, the teacher first, then every row with
one seed, then the next seed. A finished run is a line of the ledger; a run that the budget ended
goes on with the next call. `pack` and `collect` are for a machine that is lent for minutes;
benchmarks/README.md has the whole way.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.accuracy.ledger import Ledger
from benchmarks.fullscale import carrying
from benchmarks.fullscale.files import Files
from kd_trainer.errors import ConfigError, UserError, nearest

# Keras is loaded by what needs it: `collect` must be quick, as a machine stays warm for seconds.
if TYPE_CHECKING:
    from benchmarks.fullscale.rows import Row
    from benchmarks.fullscale.runner import Setting
    from kd_trainer.recipe import Recipe

_RESULTS = Path("benchmarks", "results", "accuracy")
_WORK = Path("workdir", "fullscale")
# The rehearsal: the same code on what takes minutes on two cores.
_REHEARSED = {"epochs": 2, "batch_size": 32}
_REHEARSED_IMAGES, _REHEARSED_CLASSES = (320, 250), 10


def main() -> None:
    """Runs a command; the exit status is 0, or 2 for bad input."""
    options = _options()
    try:
        options.command(options)
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


def _train(options: argparse.Namespace) -> None:
    import keras

    if keras.backend.backend() != "jax":
        raise ConfigError(
            f"Keras runs on {keras.backend.backend()!r}; expected 'jax'. Set KERAS_BACKEND=jax."
        )
    from benchmarks.fullscale.deadline import Deadline
    from benchmarks.fullscale.runner import run

    deadline = Deadline(options.budget)
    files = _files(options)
    setting = _rehearsal(options) if options.rehearse else _full(options)
    carrying.take_in(files)
    teacher_is_new = not files.teacher.exists()
    finished = run(setting, files, _chosen(options.rows), options.seeds, deadline)
    print("all is finished" if finished else "stopped by the budget; call again to go on")
    if options.out:
        carrying.hand_back(files, teacher_is_new and files.teacher.exists(), options.out)


def _table(options: argparse.Namespace) -> None:
    from benchmarks.fullscale import table
    from benchmarks.fullscale.rows import rows

    files = _files(options)
    text = table.render(Ledger(files.ledger), rows(), options.rehearse)
    files.ledger.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


def _pack(options: argparse.Namespace) -> None:
    parts = carrying.pack(options.data, _files(options), options.parts, options.python)
    for part in parts:
        print(part, sum(file.stat().st_size for file in part.iterdir()))


def _collect(options: argparse.Namespace) -> None:
    for path in carrying.collect(options.fetched, _files(options)):
        print(path)


def _files(options: argparse.Namespace) -> Files:
    rehearsed = _WORK / "rehearsal"
    name, folder = ("rehearsal", rehearsed) if options.rehearse else ("fullscale", _RESULTS)
    folder = options.folder or folder
    state = options.state or (rehearsed if options.rehearse else _WORK) / "state"
    return Files(folder / f"{name}.jsonl", folder / f"{name}-teacher.npz", state)


def _full(options: argparse.Namespace) -> "Setting":
    from benchmarks.accuracy.splits import load
    from benchmarks.fullscale.rows import RECIPES, STUDENT, TEACHER
    from benchmarks.fullscale.runner import Setting

    if not options.data:
        raise ConfigError("train: found no --data; expected the path of CIFAR-100's archive.")
    splits = load(str(options.data), 100)
    recipes = {name: _precise(recipe, options) for name, recipe in RECIPES.items()}
    return Setting(TEACHER, STUDENT, 100, recipes, splits["train"], splits["test"])


def _rehearsal(options: argparse.Namespace) -> "Setting":
    from benchmarks.accuracy.splits import load
    from benchmarks.fullscale.rows import RECIPES
    from benchmarks.fullscale.runner import Setting
    from components.cifar100_example_gen.sample import SAMPLE
    from kd_trainer.data import Dataset

    splits = load(str(SAMPLE), _REHEARSED_CLASSES)
    recipes = {
        name: _precise(recipe.model_copy(update=_REHEARSED), options)
        for name, recipe in RECIPES.items()
    }
    train_set, test_set = (
        Dataset(*(part[:count] for part in splits[split].arrays))
        for split, count in zip(("train", "test"), _REHEARSED_IMAGES, strict=True)
    )
    return Setting("resnet20", "resnet8", _REHEARSED_CLASSES, recipes, train_set, test_set)


def _precise(recipe: "Recipe", options: argparse.Namespace) -> "Recipe":
    return recipe.model_copy(update={"precision": options.precision})


def _chosen(names: list[str]) -> "list[Row]":
    from benchmarks.fullscale.rows import rows

    known = {row.name: row for row in rows()}
    for name in names:
        if name not in known:
            raise ConfigError(f"There is no row named {name!r}. {nearest(name, list(known))}")
    return [known[name] for name in names or known]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    places = argparse.ArgumentParser(add_help=False)
    places.add_argument("--folder", type=Path, help=f"of ledger and teacher ({_RESULTS})")
    places.add_argument("--state", type=Path, help=f"of unfinished runs ({_WORK / 'state'})")
    places.add_argument(
        "--rehearse", action="store_true", help="small networks, a few images, folders of its own"
    )

    train = commands.add_parser("train", parents=[places], help="go on with the ledger")
    train.set_defaults(command=_train)
    train.add_argument("--data", type=Path, help="archive or folder of CIFAR-100")
    train.add_argument("--budget", type=float, default=float("inf"), help="seconds to stop after")
    train.add_argument("--rows", nargs="+", default=[], help="some alone, in that order")
    train.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    train.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    train.add_argument("--out", type=Path, help="a folder for what is to be fetched")

    shown = commands.add_parser("table", parents=[places], help="write and print the table")
    shown.set_defaults(command=_table)

    pack = commands.add_parser("pack", parents=[places], help="make what is carried there")
    pack.set_defaults(command=_pack)
    pack.add_argument("--data", type=Path, required=True, help="archive of CIFAR-100")
    pack.add_argument("--parts", type=Path, default=_WORK / "parts", help="where they go")
    pack.add_argument("--python", default="3.12", help="the version over there (3.12)")

    collect = commands.add_parser("collect", parents=[places], help="put what came in its places")
    collect.set_defaults(command=_collect)
    collect.add_argument("fetched", type=Path, help="the folder of what came")
    return parser.parse_args()


if __name__ == "__main__":
    main()
