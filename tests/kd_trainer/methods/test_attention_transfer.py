import numpy as np
import pytest
from feature_cases import LABELS, draw, terms, weighted

from kd_trainer.errors import ConfigError
from kd_trainer.methods import Step, create


def method(preset: str, **config: object):
    return create({"name": "attention_transfer", "preset": preset, **config})


# CE 2.0187721, from the reference's values of one map.
GOLDEN = {
    "crd": 2.0187721 + 1000 * 0.035169419,
    "seed": 2.0187721 + 17.58471,
    "paper": 2.0187721 + 500 * 0.74893729 / 16,
}


@pytest.mark.parametrize("preset", GOLDEN)
def test_the_total_is_the_references(preset: str) -> None:
    [stage] = method(preset, taps=["one"]).stages(10)
    assert weighted(stage) == pytest.approx(GOLDEN[preset], rel=1e-5)


@pytest.mark.parametrize("preset", GOLDEN)
def test_the_stages_are_summed_up(preset: str) -> None:
    alone = [terms(method(preset, taps=[tap]).stages(1)[0])["attention"] for tap in ("one", "two")]
    both = terms(method(preset, taps=["one", "two"]).stages(1)[0])["attention"]
    assert both == pytest.approx(sum(alone), rel=1e-5)


@pytest.mark.parametrize(("preset", "weight"), [("crd", 1000), ("seed", 500), ("paper", 500)])
def test_one_stage_reads_the_three_outputs(preset: str, weight: float) -> None:
    [stage] = method(preset).stages(30)
    assert (stage.name, stage.epochs, stage.task_weight) == ("distil", 30, 1.0)
    assert stage.student_taps == stage.teacher_taps == ("stage1", "stage2", "stage3")
    assert stage.weights == {"attention": weight}
    assert stage.teacher_mode == "inference"


@pytest.mark.parametrize("preset", GOLDEN)
def test_maps_of_another_size_and_width_are_pooled(preset: str) -> None:
    [stage] = method(preset, taps=["a"]).stages(1)
    small, large = draw(4, 4, 4, 3), draw(4, 8, 8, 5, seed=1)
    pooled = large.reshape(4, 4, 2, 4, 2, 5).mean((2, 4))
    for pair, same in [((small, large), (small, pooled)), ((large, small), (pooled, small))]:
        found, expected = ([{"a": side} for side in sides] for sides in (pair, same))
        assert terms(stage, *found) == pytest.approx(terms(stage, *expected), rel=1e-5)


@pytest.mark.parametrize("preset", GOLDEN)
def test_what_is_no_map_is_refused(preset: str) -> None:
    [stage] = method(preset, taps=["pooled"]).stages(1)
    pooled = {"pooled": np.ones((4, 6), "float32")}
    with pytest.raises(ConfigError, match=r"\(4, 6\).*feature maps"):
        stage.terms(Step(pooled, pooled, LABELS))


@pytest.mark.parametrize(
    ("parameter", "value"), [("taps", []), ("attention_weight", 0), ("distance", "cosine")]
)
def test_a_bad_hyper_parameter_is_refused(parameter: str, value: object) -> None:
    with pytest.raises(ValueError, match=parameter):
        method("crd", **{parameter: value})
