"""Several methods at once."""

import keras
import numpy as np
import pytest
from kd_helpers import TINY_CLASSES, tiny, tiny_data

from kd_trainer import training
from kd_trainer.distiller import Distiller
from kd_trainer.errors import ConfigError
from kd_trainer.methods import Method, Stage, Step, create
from kd_trainer.methods.base import MethodConfig
from kd_trainer.methods.combination import Combination
from kd_trainer.recipe import Recipe

SOFT = {"name": "soft_logits", "preset": "crd"}
HINT = {"name": "fitnet", "preset": "crd", "taps": ["stage1"]}
STAGED = {"name": "fitnet", "preset": "upstream", "taps": ["stage1"]}


@pytest.fixture(autouse=True)
def _seed() -> None:
    keras.utils.set_random_seed(3)


def losses(spec: object, adapters: dict, student: keras.Model, teacher: keras.Model) -> dict:
    [stage] = create(spec).stages(4)
    distiller = Distiller(student, stage, teacher, adapters)
    data = tiny_data(16)
    outputs = distiller(data.images, training=True)
    parts = distiller.parts(data.labels, outputs)
    return {"total": float(sum(parts.values())), "task": float(parts["task"])}


def test_the_loss_is_the_sum_of_the_members_each_by_its_weight() -> None:
    student, teacher = tiny(), tiny(name="teacher", width=6)
    method = create([SOFT, {**HINT, "weight": 0.25}])
    adapters = training.fit_taps(teacher, student, method, 4, tiny_data(16).labels)
    assert list(adapters) == ["fitnet_stage1"]
    both = losses([SOFT, {**HINT, "weight": 0.25}], adapters, student, teacher)
    soft = losses(SOFT, {}, student, teacher)
    hint = losses(HINT, {"stage1": adapters["fitnet_stage1"]}, student, teacher)
    assert both["task"] == pytest.approx(soft["task"])  # the first method's weight
    of_hint = 0.25 * (hint["total"] - hint["task"])
    assert of_hint > 0
    assert both["total"] == pytest.approx(soft["total"] + of_hint, rel=1e-5)


def test_the_task_weight_is_the_first_methods() -> None:
    assert create([SOFT, HINT]).stages(4)[-1].task_weight == 0.1
    assert create([HINT, SOFT]).stages(4)[-1].task_weight == 1.0


def test_earlier_stages_come_first_and_the_last_ones_are_merged() -> None:
    hint, last = create([SOFT, STAGED]).stages(10)
    assert (hint.name, hint.epochs, hint.task_weight) == ("fitnet_hint", 4, 0.0)
    assert (last.name, last.epochs) == ("distil", 10)
    assert list(last.weights) == ["soft_logits_kl"]
    assert last.teacher_taps == ("logits",)


def test_a_course_of_weights_is_multiplied() -> None:
    paper = {"name": "fitnet", "preset": "paper", "taps": ["stage1"], "weight": 0.5}
    last = create([SOFT, paper]).stages(11)[-1]
    course = last.weights["fitnet_kl"]
    assert [course(epoch) for epoch in (0, 5, 10)] == pytest.approx([2.0, 1.25, 0.5])


def test_a_combination_trains_and_gives_the_student_alone() -> None:
    teacher = tiny(name="teacher", width=6)
    data = tiny_data(32)
    student, method = tiny(), create([STAGED, SOFT])
    adapters = training.fit_taps(teacher, student, method, 2, data.labels)
    history = training.train(
        student,
        method.stages(2),
        Recipe(epochs=2, batch_size=16, learning_rate=0.05, crop_padding=1),
        data,
        None,
        seed=0,
        name="student",
        teacher=teacher,
        adapters=adapters,
    )
    assert [row["stage"] for row in history] == ["fitnet_hint", "distil", "distil"]
    assert history[-1]["soft_logits_kl"] < history[1]["soft_logits_kl"]
    assert [w.path for w in student.weights] == [w.path for w in tiny().weights]


class _Other(Method):
    CATEGORY = "relations"
    Config = MethodConfig
    PRESETS = {"paper": {}}  # noqa: RUF012

    def stages(self, epochs: int) -> tuple[Stage, ...]:
        return (Stage("distil", epochs, teacher_taps=("logits",), teacher_mode="batch statistics"),)


class _Peer(_Other):
    def networks(self, student: keras.Model, teacher: keras.Model) -> tuple:
        return teacher, student


def test_what_does_not_combine_is_refused() -> None:
    other = _Other(MethodConfig(), "paper")
    modes = Combination(["soft_logits", "other"], [create(SOFT), other], [1, 1])
    with pytest.raises(ConfigError, match="modes batch statistics, inference at the same time"):
        modes.stages(3)
    with pytest.raises(ConfigError, match="'peer' trains the teacher too"):
        Combination(["peer"], [_Peer(MethodConfig(), "paper")], [1])
    with pytest.raises(ConfigError, match="each once"):
        create([SOFT, SOFT])
    with pytest.raises(ConfigError, match="each once"):
        create([])
    for weight in (0, -1, "much", True, float("nan")):
        with pytest.raises(ConfigError, match=r"'soft_logits' is .*above 0"):
            create([{**SOFT, "weight": weight}])


def test_a_members_derivatives_reach_it_under_their_own_name() -> None:
    seen = []

    class Jacobian(_Other):
        def stages(self, epochs: int) -> tuple[Stage, ...]:
            def terms(step: Step) -> dict:
                seen.append(sorted(step.student))
                return {"zero": keras.ops.sum(0 * step.student["slope"])}

            return (
                Stage(
                    "distil",
                    epochs,
                    student_taps=("logits",),
                    terms=terms,
                    weights={"zero": 1.0},
                    jacobians={"slope": lambda own, teacher: keras.ops.sum(own["logits"])},
                    gradient_bounds={"zero": 1.0},
                ),
            )

    method = Combination(
        ["soft_logits", "other"], [create(SOFT), Jacobian(MethodConfig(), "paper")], [1, 2]
    )
    [stage] = method.stages(1)
    assert stage.weights["other_zero"] == 2.0
    assert list(stage.gradient_bounds) == ["other_zero"]
    training.fit_taps(tiny(name="teacher"), tiny(), method, 1, np.zeros(TINY_CLASSES, int))
    assert seen == [["logits", "slope"]]
