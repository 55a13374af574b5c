import json

import numpy as np
import pytest
from golden_step import LABELS, LOGITS, MAPS, golden_step, weighted
from pydantic import ValidationError

from kd_trainer import methods
from kd_trainer.methods import create

NAME = "logit_standardization"


def standardized(logits: np.ndarray) -> np.ndarray:
    mean, std = logits.mean(1, keepdims=True), logits.std(1, ddof=1, keepdims=True)
    return (logits - mean) / (1e-7 + std)


def test_the_paper_is_nine_times_the_golden_value() -> None:
    found = weighted(create({"name": NAME}), golden_step(logits=LOGITS))
    assert found == pytest.approx(9 * 0.72505922, rel=1e-5)


def test_on_dkd_it_is_dkd_of_standardized_logits() -> None:
    p, q = (np.exp(standardized(logits) / 2) for logits in (LOGITS[1], LOGITS[0]))
    p, q = (one / one.sum(1, keepdims=True) for one in (p, q))
    true = np.eye(5, dtype=bool)[LABELS]
    pt, qt = p[true], q[true]
    tckd = pt * np.log(pt / qt) + (1 - pt) * np.log((1 - pt) / (1 - qt))
    p, q = (one[~true].reshape(4, 4) for one in (p, q))
    p, q = (one / one.sum(1, keepdims=True) for one in (p, q))
    nckd = (p * np.log(p / q)).sum(1)
    expected = 4 * (9 * tckd + 72 * nckd).mean()
    found = weighted(create({"name": NAME, "preset": "paper_dkd"}), golden_step(logits=LOGITS))
    assert found == pytest.approx(expected, rel=1e-5)


def test_scale_and_shift_of_the_logits_do_not_matter() -> None:
    method = create({"name": NAME, "on": "dist"})
    moved = 3 * LOGITS[0] + 7, 0.1 * LOGITS[1] - 2
    expected = weighted(method, golden_step(logits=LOGITS))
    assert weighted(method, golden_step(logits=moved)) == pytest.approx(expected, rel=1e-4)


def test_the_stages_are_the_other_methods() -> None:
    [stage] = create({"name": NAME}).stages(30)
    assert (stage.epochs, stage.task_weight, stage.weights) == (30, 0.1, {"kl": 36.0})
    assert stage.student_taps == stage.teacher_taps == ("logits",)
    [stage] = create({"name": NAME, "preset": "paper_dkd"}).stages(240)
    assert stage.task_weight == 1.0
    assert stage.weights["decoupled"](0) == pytest.approx(0.05)


def test_beside_another_method_it_standardizes_the_logits_alone() -> None:
    step = golden_step(logits=LOGITS, stage3=MAPS)
    both = create([{"name": NAME}, {"name": "similarity_preserving"}])
    alone = [weighted(create({"name": name}), step) for name in (NAME, "similarity_preserving")]
    assert weighted(both, step) == pytest.approx(sum(alone))


def test_a_name_stands_for_the_methods_first_preset() -> None:
    config = create({"name": NAME, "on": "soft_logits"}).config
    assert config.on == {
        "name": "soft_logits",
        "preset": "crd",
        "temperature": 4.0,
        "task_weight": 0.1,
        "distillation_weight": pytest.approx(14.4),
    }


@pytest.mark.parametrize("preset", ["paper", "paper_dkd"])
def test_what_is_recorded_makes_the_same_method(preset: str) -> None:
    method = create({"name": NAME, "preset": preset})
    recorded = json.loads(json.dumps(method.config.model_dump(mode="json")))
    again = create({"name": NAME, "preset": preset, **recorded})
    assert again.config == method.config
    step = golden_step(logits=LOGITS)
    assert weighted(again, step) == weighted(method, step)


def test_the_other_methods_code_belongs_to_it() -> None:
    config = create({"name": NAME, "preset": "paper_dkd"}).config
    spec = {"name": NAME, "preset": "paper_dkd", **config.model_dump(mode="json")}
    assert methods.modules(spec) == [
        "kd_trainer.methods.logit_standardization",
        "kd_trainer.methods.dkd",
    ]


REFUSED = {
    "features": ("fitnet", "'fitnet' is a method of the category 'features' that reads"),
    "relations of logits": (
        {"name": "rkd", "preset": "seed"},
        "'rkd' is a method of the category 'relations' that reads logits",
    ),
    "unknown method": ("soft_logit", "no method named 'soft_logit'.*Did you mean 'soft_logits'"),
    "unknown preset": ({"name": "dkd", "preset": "crd"}, "'dkd' has no preset named 'crd'"),
    "unknown hyper-parameter": (
        {"name": "dkd", "gamma": 2},
        "gamma: Extra inputs are not permitted, found 2",
    ),
    "out of range": (
        {"name": "dkd", "temperature": 0},
        "temperature: Input should be greater than 0, found 0",
    ),
    "several": ([{"name": "dkd"}], "expected one method"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_it_does_not_go_on_is_refused(case: str) -> None:
    on, message = REFUSED[case]
    with pytest.raises(ValidationError, match=message) as refusal:
        create({"name": NAME, "on": on})
    assert refusal.value.errors()[0]["loc"] == ("on",)
