import pytest
from golden_step import EMBEDDINGS, MAPS, SMALL_MAPS, golden_step, weighted
from pydantic import ValidationError

from kd_trainer.errors import ConfigError
from kd_trainer.methods import create


def test_crd_is_the_golden_value_for_each_stage() -> None:
    step = golden_step(stage1=MAPS, stage2=MAPS, stage3=MAPS)
    assert weighted(create({"name": "nst"}), step) == pytest.approx(150 * 1.6064953, rel=1e-5)


def test_it_has_one_stage_on_the_three_maps() -> None:
    [stage] = create({"name": "nst"}).stages(30)
    assert (stage.epochs, stage.task_weight, stage.weights) == (30, 1.0, {"selectivity": 50.0})
    assert stage.student_taps == stage.teacher_taps == ("stage1", "stage2", "stage3")


def test_maps_of_different_sizes_and_widths_are_compared() -> None:
    step = golden_step(stage1=(MAPS[0], SMALL_MAPS[1]))
    assert weighted(create({"name": "nst", "taps": ["stage1"]}), step) > 0


def test_a_tap_that_is_no_map_is_refused_with_its_shape() -> None:
    [stage] = create({"name": "nst", "taps": ["pooled"]}).stages(1)
    with pytest.raises(ConfigError, match=r"\(4, 6\).*feature maps"):
        stage.terms(golden_step(pooled=EMBEDDINGS))


@pytest.mark.parametrize(("parameter", "value"), [("weight", 0.0), ("taps", [])])
def test_a_bad_value_is_refused(parameter: str, value: object) -> None:
    with pytest.raises(ValidationError, match=parameter):
        create({"name": "nst", parameter: value})
