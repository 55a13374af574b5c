import numpy as np
import pytest
from golden_step import LOGITS, golden_step, weighted
from pydantic import ValidationError

from kd_trainer.errors import ConfigError
from kd_trainer.methods import create


def test_the_paper_is_the_golden_value() -> None:
    found = weighted(create({"name": "dkd"}), golden_step(logits=LOGITS))
    assert found == pytest.approx(21.561814, rel=1e-5)


def test_it_has_one_stage_that_warms_up_from_the_first_epoch() -> None:
    [stage] = create({"name": "dkd"}).stages(240)
    assert (stage.epochs, stage.task_weight) == (240, 1.0)
    assert stage.student_taps == stage.teacher_taps == ("logits",)
    weight = stage.weights["decoupled"]
    assert [weight(epoch) for epoch in (0, 9, 19, 20, 239)] == pytest.approx([0.05, 0.5, 1, 1, 1])


def test_without_a_warm_up_the_weight_is_full_at_once() -> None:
    [stage] = create({"name": "dkd", "warmup": 0.0}).stages(240)
    assert stage.weights["decoupled"](0) == 1.0


def test_two_classes_are_refused() -> None:
    two = golden_step(logits=(LOGITS[0][:, :2], LOGITS[1][:, :2]))
    [stage] = create({"name": "dkd"}).stages(10)
    with pytest.raises(ConfigError, match="at least 3 classes"):
        stage.terms(two)


def test_networks_of_different_classes_are_refused_with_both_shapes() -> None:
    [stage] = create({"name": "dkd"}).stages(10)
    other = np.zeros((4, 6))
    with pytest.raises(ConfigError, match=r"\(4, 5\).*\(4, 6\)"):
        stage.terms(golden_step(logits=(LOGITS[0], other)))


@pytest.mark.parametrize(
    ("parameter", "value"), [("beta", -1.0), ("temperature", 0.0), ("warmup", 1.5)]
)
def test_a_bad_value_is_refused(parameter: str, value: float) -> None:
    with pytest.raises(ValidationError, match=parameter):
        create({"name": "dkd", parameter: value})
