import pytest
from golden_step import LOGITS, golden_step, weighted
from pydantic import ValidationError

from kd_trainer.methods import create


def test_the_paper_is_made_of_the_golden_values() -> None:
    found = weighted(create({"name": "dist"}), golden_step(logits=LOGITS))
    assert found == pytest.approx(32 * (0.97761669 + 1.1252628), rel=1e-5)


def test_at_temperature_one_it_is_made_of_the_golden_values() -> None:
    method = create({"name": "dist", "temperature": 1.0, "inter_weight": 2.0, "intra_weight": 3.0})
    found = weighted(method, golden_step(logits=LOGITS))
    assert found == pytest.approx(2 * 1.0192622 + 3 * 1.1090346, rel=1e-5)


def test_it_has_one_stage() -> None:
    [stage] = create({"name": "dist"}).stages(30)
    assert (stage.epochs, stage.task_weight) == (30, 1.0)
    assert stage.student_taps == stage.teacher_taps == ("logits",)
    assert stage.weights == {"inter": 32.0, "intra": 32.0}


@pytest.mark.parametrize(
    ("parameter", "value"), [("temperature", 0.0), ("inter_weight", -1.0), ("intra_weight", -1.0)]
)
def test_a_bad_value_is_refused(parameter: str, value: float) -> None:
    with pytest.raises(ValidationError, match=parameter):
        create({"name": "dist", parameter: value})
