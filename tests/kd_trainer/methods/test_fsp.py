from itertools import pairwise

import numpy as np
import pytest
from golden_step import LABELS, MAPS, SMALL_MAPS
from kd_helpers import TINY_CLASSES, tiny, tiny_data
from pydantic import ValidationError

from kd_trainer.errors import ConfigError
from kd_trainer.methods import Method, Step, create
from kd_trainer.training import fit_taps

STUDENT_MAPS, TEACHER_MAPS = zip(MAPS, SMALL_MAPS, strict=True)
STAGES = ("stage1", "stage2", "stage3")


def of(preset: str, **changes) -> Method:
    return create({"name": "fsp", "preset": preset, **changes})


def total(method: Method, student: list, teacher: list) -> float:
    """The weighted loss of the first stage."""
    first = method.stages(10)[0]
    taps = (
        dict(zip(method.config.taps, [x.astype("float32") for x in side], strict=True))
        for side in (student, teacher)
    )
    terms = first.terms(Step(*taps, LABELS))
    return sum(first.weights[name] * float(value) for name, value in terms.items())


@pytest.mark.parametrize(
    ("preset", "changes", "golden"),
    [
        ("seed", {}, 1e-3 * 2.1882088),
        ("paper", {}, 4.3764175),
        ("crd", {"pooling": "max"}, 0.24313431),
    ],
)
def test_a_preset_weighs_as_its_reference_does(preset: str, changes: dict, golden: float) -> None:
    method = of(preset, taps=("stage1", "stage2"), **changes)
    assert total(method, STUDENT_MAPS, TEACHER_MAPS) == pytest.approx(golden, rel=1e-5)


def pooled(feature: np.ndarray, size: int, how: str) -> np.ndarray:
    window = feature.shape[1] // size
    batch, *_, channels = feature.shape
    return getattr(np, how)(feature.reshape(batch, size, window, size, window, channels), (2, 4))


@pytest.mark.parametrize(
    ("preset", "weight", "how", "reduction"),
    [
        ("crd", 1.0, "mean", np.mean),
        ("seed", 0.5e-3, "max", np.sum),
        ("paper", 1.0, "max", np.sum),
    ],
)
def test_every_two_neighbours_make_a_matrix(preset, weight, how, reduction) -> None:
    random = np.random.default_rng(0)
    method = of(preset)
    shapes = [(8, 3), (8, 4), (4, 5), (2, 6)][-len(method.config.taps) :]
    sides = [[random.normal(size=(3, s, s, c)) for s, c in shapes] for _ in range(2)]
    matrices = [
        [
            np.einsum("bhwi,bhwj->bij", pooled(a, b.shape[1], how), b) / b.shape[1] ** 2
            for a, b in pairwise(side)
        ]
        for side in sides
    ]
    expected = weight * sum(
        np.mean([reduction(difference**2) for difference in s - t])
        for s, t in zip(*matrices, strict=True)
    )
    assert total(method, *sides) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("preset", "taps", "epochs"),
    [("crd", ("stem", *STAGES), 30), ("seed", STAGES, 96), ("paper", ("stem", *STAGES), 96)],
)
def test_the_flow_is_learnt_first_and_then_the_task_alone(preset, taps, epochs) -> None:
    flow, task = of(preset).stages(240)
    assert (flow.name, flow.epochs, flow.task_weight) == ("flow", epochs, 0.0)
    assert flow.student_taps == flow.teacher_taps == taps
    assert flow.schedule == "constant"
    assert (task.name, task.epochs, task.task_weight, task.schedule) == ("task", 240, 1.0, None)
    assert not task.teacher_taps
    assert not task.weights
    assert of(preset).stages(1)[0].epochs == 1


def test_maps_of_other_channels_are_refused_with_both_shapes() -> None:
    method = of("seed", taps=("stem", "stage1"))
    with pytest.raises(ConfigError, match=r"\(4, 8, 8, 4\).*\(4, 8, 8, 6\).*equal .*channels"):
        fit_taps(tiny(name="teacher", width=6), tiny(), method, 1, tiny_data(8).labels)


def test_maps_of_another_size_need_no_bridge() -> None:
    student, teacher = STUDENT_MAPS, [np.repeat(np.repeat(x, 2, 1), 2, 2) for x in TEACHER_MAPS]
    method = of("crd", taps=("stage1", "stage2"))
    expected = total(method, student, TEACHER_MAPS)
    assert total(method, student, teacher) == pytest.approx(expected, rel=1e-5)


def test_a_tap_that_is_no_map_is_refused() -> None:
    method = of("crd", taps=("stage1", "pooled"))
    with pytest.raises(ConfigError, match=r"flow_of.*\(4, 8\).*feature maps"):
        fit_taps(tiny(name="teacher"), tiny(), method, 1, np.arange(TINY_CLASSES))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("taps", ("stage1",)),
        ("pooling", "min"),
        ("reduction", "max"),
        ("weight", 0.0),
        ("init_epochs", 0.0),
    ],
)
def test_a_bad_hyper_parameter_is_refused_by_its_name(parameter: str, value) -> None:
    with pytest.raises(ValidationError) as refusal:
        of("crd", **{parameter: value})
    [error] = refusal.value.errors()
    assert error["loc"] == (parameter,)
