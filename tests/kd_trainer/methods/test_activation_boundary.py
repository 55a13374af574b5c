import numpy as np
import pytest
from feature_cases import SHAPES, draw, identity, terms, weighted

from kd_trainer.errors import ConfigError
from kd_trainer.methods import Setting, Step, create


def method(preset: str, **config: object):
    return create({"name": "activation_boundary", "preset": preset, **config})


def setting(student: dict, teacher: dict) -> Setting:
    return Setting(student, teacher, None, None)


# The reference's values of two maps; the seed's weights for two are (1, 2)e-3, for three (1, 2, 4).
GOLDEN = {"crd": 0.267096, "paper": 0.267096, "seed": 2 * 0.178064}


@pytest.mark.parametrize("preset", GOLDEN)
def test_the_first_stage_is_the_references(preset: str) -> None:
    boundaries, _ = method(preset, taps=["one", "two"]).stages(10)
    found = weighted(boundaries, one=identity, two=identity)
    assert found == pytest.approx(GOLDEN[preset], rel=1e-5)


# CE 2.0187721, KL at T = 3 0.33562886.
LAST = {"crd": 2.0187721, "seed": 1.5138291, "paper": 0.33562886}


@pytest.mark.parametrize("preset", LAST)
def test_the_last_stage_is_the_references(preset: str) -> None:
    _, last = method(preset).stages(10)
    assert weighted(last) == pytest.approx(LAST[preset], rel=1e-5)


@pytest.mark.parametrize(
    ("preset", "taps", "mode", "epochs", "weight"),
    [
        ("crd", "stage{}_preact", "inference", 30, 3e-3),
        ("seed", "stage{}", "batch statistics", 96, 4e-3),
        ("paper", "stage{}_preact", "batch statistics", 96, 3e-3),
    ],
)
def test_the_boundaries_come_first(
    preset: str, taps: str, mode: str, epochs: int, weight: float
) -> None:
    boundaries, last = method(preset).stages(240)
    assert (boundaries.name, boundaries.epochs, boundaries.task_weight) == ("boundary", epochs, 0.0)
    expected = tuple(taps.format(number) for number in (1, 2, 3))
    assert boundaries.student_taps == boundaries.teacher_taps == boundaries.adapters == expected
    assert (boundaries.teacher_mode, boundaries.schedule) == (mode, "constant")
    assert boundaries.weights == {"boundary": weight}
    assert (last.epochs, last.teacher_mode, last.schedule, last.adapters) == (
        240,
        "inference",
        None,
        (),
    )


def test_connectors_stand_where_the_preset_has_them() -> None:
    wide = SHAPES | {"two": (2, 2, 8)}
    for preset, same, wider in [
        ("crd", [], ["two"]),
        ("paper", [], ["two"]),
        ("seed", ["one", "two"], ["one", "two"]),
    ]:
        boundary = method(preset, taps=["one", "two"])
        assert list(boundary.adapters(setting(SHAPES, SHAPES))) == same
        adapters = boundary.adapters(setting(SHAPES, wide))
        assert list(adapters) == wider
        output = np.array(adapters["two"](draw(4, 2, 2, 6), training=True))
        assert output.shape == (4, 2, 2, 8)
        assert output.min() < 0


@pytest.mark.parametrize("size", [4, 16])
def test_maps_of_another_size_are_bridged_by_the_connector(size: int) -> None:
    boundary = method("crd", taps=["a"])
    student, teacher = {"a": draw(4, 8, 8, 3)}, {"a": draw(4, size, size, 5, seed=1)}
    adapters = boundary.adapters(setting({"a": (8, 8, 3)}, {"a": (size, size, 5)}))
    assert terms(boundary.stages(1)[0], student, teacher, adapters)["boundary"] > 0


def test_maps_that_cannot_be_bridged_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"8x8.*12x12"):
        method("crd", taps=["a"]).adapters(setting({"a": (8, 8, 3)}, {"a": (12, 12, 3)}))
    boundaries, _ = method("crd", taps=["a"]).stages(1)
    with pytest.raises(ConfigError, match=r"\(4, 8, 8, 3\).*\(4, 4, 4, 3\)"):
        boundaries.terms(Step({"a": draw(4, 8, 8, 3)}, {"a": draw(4, 4, 4, 3)}, None))


BAD_VALUES = {
    "taps": {"taps": []},
    "init_epochs": {"init_epochs": 0},
    "boundary_weight": {"boundary_weight": 0},
    "teacher_mode": {"teacher_mode": "trained"},
    "task_weight and kl_weight": {"task_weight": 0, "kl_weight": 0},
}


@pytest.mark.parametrize("what", BAD_VALUES)
def test_a_bad_hyper_parameter_is_refused(what: str) -> None:
    with pytest.raises(ValueError, match=what):
        method("crd", **BAD_VALUES[what])
