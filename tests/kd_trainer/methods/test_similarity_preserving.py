import pytest
from golden_step import MAPS, SMALL_MAPS, golden_step, weighted
from pydantic import ValidationError

from kd_trainer.methods import create

NAME = "similarity_preserving"


def test_crd_is_the_golden_value() -> None:
    found = weighted(create({"name": NAME}), golden_step(stage3=SMALL_MAPS))
    assert found == pytest.approx(3000 * 0.148334, rel=1e-5)


def test_it_has_one_stage_on_the_last_map() -> None:
    [stage] = create({"name": NAME}).stages(30)
    assert (stage.epochs, stage.task_weight, stage.weights) == (30, 1.0, {"similarity": 3000.0})
    assert stage.student_taps == stage.teacher_taps == ("stage3",)


def test_maps_of_different_shapes_are_compared() -> None:
    step = golden_step(stage3=(MAPS[0], SMALL_MAPS[1]))
    assert weighted(create({"name": NAME}), step) > 0


def test_no_weight_is_refused() -> None:
    with pytest.raises(ValidationError, match="weight"):
        create({"name": NAME, "weight": 0.0})
