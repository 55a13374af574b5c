"""Goes through the table's rows, and on where the last call stopped."""

import platform
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

import jax
import keras

from benchmarks.accuracy.ledger import Ledger
from benchmarks.fullscale import kept_teacher
from benchmarks.fullscale.deadline import Deadline, OutOfTimeError
from benchmarks.fullscale.files import Files
from benchmarks.fullscale.rows import TEACHER_ROW, Row
from benchmarks.fullscale.scanned import scanned
from kd_trainer import methods, training
from kd_trainer.checkpoint import Checkpoint, digest
from kd_trainer.data import Dataset
from kd_trainer.errors import ConfigError
from kd_trainer.networks import build
from kd_trainer.recipe import Recipe


class Setting(NamedTuple):
    """What is trained on what.

    Attributes:
      teacher: the teacher's network.
      student: the students' network.
      classes: the number of logits.
      recipes: by key, as rows name them.
      train_set: what is trained on.
      test_set: what every epoch is measured on.
    """

    teacher: str
    student: str
    classes: int
    recipes: dict[str, Recipe]
    train_set: Dataset
    test_set: Dataset


def run(
    setting: Setting, files: Files, rows: Sequence[Row], seeds: Sequence[int], deadline: Deadline
) -> bool:
    """Trains the teacher if there is none, then every row with the first seed, then the next.

    Args:
      setting: what is trained on what.
      files: what is there is gone on from.
      rows: the students', in the order in which they are run.
      seeds: of each row.
      deadline: when it stops, at the end of an epoch.

    Returns:
      Whether all is finished.

    Raises:
      ConfigError: the ledger has a teacher whose file is missing.
    """
    # Float32 is to be that: on a GPU, JAX would take TF32 for networks and losses.
    jax.config.update("jax_default_matmul_precision", "highest")
    files.ledger.parent.mkdir(parents=True, exist_ok=True)
    files.ledger.touch()
    ledger = Ledger(files.ledger)
    teacher = build(setting.teacher, setting.classes)
    try:
        if not ledger.has(TEACHER_ROW.name, 0):
            _teach(setting, files, ledger, deadline)
        if not files.teacher.exists():
            raise ConfigError(
                f"The ledger {files.ledger} has a teacher, but its weights, {files.teacher}, are "
                "missing. Bring them back, or remove the ledger to begin anew."
            )
        kept_teacher.restore(teacher, files.teacher)
        for row, seed in _unfinished(rows, seeds, ledger):
            deadline.check()
            _study(setting, files, ledger, deadline, teacher, row, seed)
    except OutOfTimeError:
        return False
    return True


def _unfinished(
    rows: Sequence[Row], seeds: Sequence[int], ledger: Ledger
) -> Iterator[tuple[Row, int]]:
    for seed in seeds:
        for row in rows:
            if not ledger.has(row.name, seed):
                yield row, seed


def _teach(setting: Setting, files: Files, ledger: Ledger, deadline: Deadline) -> None:
    recipe = setting.recipes[TEACHER_ROW.recipe]

    def train(**data: Any) -> Any:
        return training.train_alone(setting.teacher, setting.classes, recipe, 0, **data)

    def keep(teacher: keras.Model) -> dict[str, Any]:
        kept_teacher.keep(teacher, files.teacher)
        return {"kept_top1": 100 * training.accuracy(teacher, setting.test_set)["top1"]}

    subject = digest("teacher", setting.teacher, recipe.model_dump(mode="json"))
    _finish(setting, files, ledger, deadline, TEACHER_ROW, 0, subject, train, keep)


def _study(
    setting: Setting,
    files: Files,
    ledger: Ledger,
    deadline: Deadline,
    teacher: keras.Model,
    row: Row,
    seed: int,
) -> None:
    recipe = setting.recipes[row.recipe]

    def train(**data: Any) -> Any:
        if row.method is None:
            return training.train_alone(setting.student, setting.classes, recipe, seed, **data)
        method = methods.create(row.method)
        return training.distil(
            teacher, setting.student, method, setting.classes, recipe, seed, **data
        )

    told = row.method, setting.student, seed, recipe.model_dump(mode="json")
    subject = digest(*told, *teacher.get_weights())
    _finish(setting, files, ledger, deadline, row, seed, subject, train, lambda network: {})


def _finish(
    setting: Setting,
    files: Files,
    ledger: Ledger,
    deadline: Deadline,
    row: Row,
    seed: int,
    subject: str,
    train: Callable[..., tuple[keras.Model, list[dict[str, Any]]]],
    keep: Callable[[keras.Model], dict[str, Any]],
) -> None:
    """Trains a run to its end and writes its line."""
    images, labels = setting.train_set.arrays
    checkpoint = Checkpoint(files.state, digest(subject, images, labels))

    def fit(*arguments: Any) -> None:
        *course, watchers = arguments
        scanned(*course, [*watchers, deadline])

    recipe = setting.recipes[row.recipe]
    # The teacher is trained whichever rows are asked for.
    chosen = "" if row is TEACHER_ROW else f" --rows {row.name} --seeds {seed}"
    facts = {
        "command": f"python -m benchmarks.fullscale train{chosen} --precision {recipe.precision}",
        "recipe": recipe.model_dump(mode="json"),
        "device": jax.devices()[0].device_kind,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("jax", "keras", "numpy")},
        },
    }
    failure = None
    try:
        network, history = train(
            train_set=setting.train_set,
            eval_set=setting.test_set,
            name=row.name,
            checkpoint=checkpoint,
            fit=fit,
        )
        facts |= keep(network)
    except FloatingPointError as error:
        if row is TEACHER_ROW:
            raise  # without it there is nothing to go on with
        history, failure = [], str(error)
    alone = setting.teacher if row is TEACHER_ROW else setting.student
    label = methods.label(row.method) if row.method else alone
    seconds = sum(epoch["seconds"] for epoch in history)
    ledger.add(row.name, seed, label, history, seconds, failure, facts)
    checkpoint.clear()
    print(ledger.describe(row.name, seed), flush=True)
