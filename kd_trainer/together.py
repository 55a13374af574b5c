"""Several students of one teacher, trained at once, with one pass of the teacher a batch."""

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple

import keras

from kd_trainer.data import Dataset
from kd_trainer.errors import ConfigError
from kd_trainer.methods.base import Method
from kd_trainer.precision import plain
from kd_trainer.recipe import Recipe
from kd_trainer.shared_teacher import Classroom, SharedTeacher
from kd_trainer.training import prepared

_SECONDS = 3  # of the ten that a run has to end in on SIGTERM

Trained = tuple[keras.Model, list[dict[str, Any]]]


class Student(NamedTuple):
    """Who is taught, and how.

    Attributes:
      network: as `kd_trainer.networks.build` takes it.
      method: the method.
      data: what `training.train` takes beside, for this one: `name`, `log_dir`, `checkpoint`.
    """

    network: str
    method: Method
    data: Mapping[str, Any]


def distil_together(
    teacher: keras.Model,
    students: Mapping[str, Student],
    num_classes: int,
    recipe: Recipe,
    seed: int,
    train_set: Dataset,
    eval_set: Dataset | None,
) -> dict[str, "Future[Trained]"]:
    """Builds students and trains each of them as `training.distil` does.

    Args:
      teacher: the trained teacher; it is not changed.
      students: by name; each one's `shared_teacher.can_be_shared`.
      num_classes: number of logits.
      recipe: the optimisation, of all.
      seed: of all.
      train_set: what is trained on.
      eval_set: as `training.train` takes it.

    Returns:
      What each came to: the trained student and the history, or the error that ended it, which
      does not end the others.

    Raises:
      ConfigError: the recipe has diverging trainings roll back.
      BaseException: the caller's thread was interrupted. Students stop as they next ask the
        teacher; who does not within seconds, as it is evaluated or compiled, is not waited for.
    """
    if recipe.on_nan == "rollback":
        raise ConfigError(
            "recipe.on_nan is 'rollback', but students that train at once see the same batches, "
            "and none can go back alone. Set recipe.on_nan=stop or compare.share_teacher=never."
        )
    ready = {
        name: prepared(
            teacher, student.network, student.method, num_classes, recipe, seed, train_set
        )
        for name, student in students.items()
    }
    taps = {tap for each in ready.values() for stage in each.stages for tap in stage.teacher_taps}
    classroom = Classroom(next(iter(ready.values())).teacher, taps, students)

    def train(name: str) -> Trained:
        try:
            network, history = ready[name].trained(
                recipe,
                seed,
                train_set=train_set,
                eval_set=eval_set,
                teacher_outputs=SharedTeacher(classroom, name),
                **students[name].data,
            )
            return plain(network, recipe), history
        finally:
            classroom.leave(name)

    pool = ThreadPoolExecutor(len(students))
    futures = {name: pool.submit(train, name) for name in students}
    pool.shutdown(wait=False)  # none is added
    try:
        wait(futures.values())
    except BaseException:  # an interrupt: nobody is taught any further
        classroom.close()
        wait(futures.values(), timeout=_SECONDS)
        raise
    return futures
