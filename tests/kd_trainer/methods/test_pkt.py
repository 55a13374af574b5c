import pytest
from golden_step import EMBEDDINGS, golden_step, weighted
from pydantic import ValidationError

from kd_trainer.methods import create


def test_crd_is_the_golden_value() -> None:
    found = weighted(create({"name": "pkt"}), golden_step(pooled=EMBEDDINGS))
    assert found == pytest.approx(30000 * 0.056196072, rel=1e-5)


def test_it_has_one_stage_on_the_pooled_features() -> None:
    [stage] = create({"name": "pkt"}).stages(30)
    assert (stage.epochs, stage.task_weight, stage.weights) == (30, 1.0, {"neighbours": 30000.0})
    assert stage.student_taps == stage.teacher_taps == ("pooled",)


def test_features_of_different_widths_are_compared() -> None:
    step = golden_step(pooled=(EMBEDDINGS[0][:, :3], EMBEDDINGS[1]))
    assert weighted(create({"name": "pkt"}), step) > 0


def test_no_weight_is_refused() -> None:
    with pytest.raises(ValidationError, match="weight"):
        create({"name": "pkt", "weight": 0.0})
