"""KD-SVD and KD-EID, which are one computation."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from golden_step import LABELS, MAPS, SMALL_MAPS
from kd_helpers import snapshot, tiny, tiny_data
from pydantic import ValidationError

from kd_trainer.errors import ConfigError
from kd_trainer.methods import Method, Step, create
from kd_trainer.recipe import Recipe
from kd_trainer.training import fit_taps, train

STUDENT_MAPS, TEACHER_MAPS = zip(MAPS, SMALL_MAPS, strict=True)
TAPS = ("stage1", "stage2", "stage3")


def of(preset: str, name: str = "kd_svd", **changes) -> Method:
    return create({"name": name, "preset": preset, **changes})


def total(method: Method, student: list, teacher: list) -> float:
    [stage] = method.stages(10)
    taps = (
        dict(zip(method.config.taps, [x.astype("float32") for x in side], strict=True))
        for side in (student, teacher)
    )
    terms = stage.terms(Step(*taps, np.resize(LABELS, len(student[0]))))
    return sum(stage.weights[name] * float(value) for name, value in terms.items())


@pytest.mark.parametrize(
    ("name", "preset", "golden"),
    [
        ("kd_svd", "upstream", 0.006870375),
        ("kd_eid", "upstream", 0.006870375),
        ("kd_svd", "crd", 0.0017175938),
    ],
)
def test_a_preset_weighs_as_its_reference_does(name: str, preset: str, golden: float) -> None:
    method = of(preset, name, taps=("stage1", "stage2"))
    assert total(method, STUDENT_MAPS, TEACHER_MAPS) == pytest.approx(golden, rel=1e-5)


def apart(now: tuple, before: tuple, sign: int) -> np.ndarray:
    """The squared difference of the relations, a number for each vector."""
    relations = [
        np.exp(-((b[:, None] - sign * a[None]) ** 2) / 8) for a, b in zip(before, now, strict=True)
    ]
    return ((relations[0] - relations[1]) ** 2).sum((0, 1))


def seeds(student: list, teacher: list) -> float:
    """The seed's loss of maps after a ReLU in NumPy, with our rule for the signs."""
    loss = 0.0
    for sample in range(len(student[0])):
        before = None
        for maps in zip(student, teacher, strict=True):
            matrices = [one[sample].reshape(-1, one.shape[-1]) for one in maps]
            s, t = (np.linalg.svd(matrix, full_matrices=False)[2][:4].T for matrix in matrices)
            t = t * np.sign(t.sum(0))
            cosines = s.T @ t
            nearest = abs(cosines).argmax(0)
            now = s[:, nearest] * np.sign(cosines[nearest, range(4)]), t
            if before is not None:
                alike, opposite = (apart(now, before, sign) for sign in (1, -1))
                loss += alike[0] + np.maximum(alike, opposite)[1:].sum()
            before = now
    return loss


def test_the_seeds_preset_takes_four_vectors_of_both_and_sums_over_the_batch() -> None:
    random = np.random.default_rng(0)
    shapes = [(3, 4, 4, 5), (3, 4, 4, 6), (3, 2, 2, 8)]
    student, teacher = (
        [np.maximum(random.normal(size=shape), 0) for shape in shapes] for _ in range(2)
    )
    found = total(of("seed"), student, teacher)
    assert found == pytest.approx(seeds(student, teacher), rel=1e-4)


@pytest.mark.parametrize("preset", ["upstream", "seed", "crd"])
def test_there_is_one_stage_on_the_ends_of_the_three(preset: str) -> None:
    [stage] = of(preset).stages(50)
    assert (stage.name, stage.epochs, stage.task_weight) == ("distil", 50, 1.0)
    assert stage.student_taps == stage.teacher_taps == TAPS
    assert stage.weights == {"svd": 1.0}
    assert set(stage.gradient_bounds) == ({"svd"} if preset != "crd" else set())


def test_the_bound_is_the_seeds_sigmoid() -> None:
    [stage] = of("upstream").stages(50)
    bound = stage.gradient_bounds["svd"]
    found = [bound(epoch) for epoch in (0, 1, 3, 40)]
    assert found == pytest.approx([0.5, 0.7310586, 0.9525741, 1.0])


@pytest.mark.slow
def test_kd_eid_is_kd_svd_to_the_bit() -> None:
    students = []
    for name in ("kd_svd", "kd_eid"):
        keras.utils.set_random_seed(0)
        teacher, student = (tiny(name=role, stages=2) for role in ("teacher", "student"))
        method = of("upstream", name, taps=("stage1", "stage2"))
        recipe = Recipe(epochs=1, batch_size=8, learning_rate=0.05, crop_padding=1)
        data = tiny_data(16)
        adapters = fit_taps(teacher, student, method, 1, data.labels)
        train(student, method.stages(1), recipe, data, None, 0, name, None, None, teacher, adapters)
        students.append(snapshot(student))
    for path, value in students[0].items():
        np.testing.assert_array_equal(value, students[1][path])


@pytest.mark.slow
def test_a_bounded_term_of_any_weight_moves_no_variable_further_than_the_task_twice() -> None:
    """At epoch 0 the bound is half of the task's gradient."""
    data = tiny_data(8)
    recipe = Recipe(
        epochs=1,
        batch_size=8,
        learning_rate=0.01,
        momentum=0,
        nesterov=False,
        weight_decay=0,
        flip=False,
        crop_padding=0,
    )
    moves = {}
    method = of("upstream", taps=("stage1", "stage2"), weight=1e6)
    [stage] = method.stages(1)
    for name, weights in [("task", {"svd": 0.0}), ("both", stage.weights)]:
        keras.utils.set_random_seed(0)
        teacher, student = (tiny(name=role, stages=2) for role in ("teacher", "student"))
        before = [np.array(w) for w in student.trainable_variables]
        stages = [replace(stage, weights=weights, schedule="constant")]
        train(student, stages, recipe, data, None, 0, name, teacher=teacher)
        after = [np.array(w) for w in student.trainable_variables]
        moves[name] = [b - a for a, b in zip(before, after, strict=True)]
    shares = [
        np.linalg.norm(both - task) / np.linalg.norm(task)
        for both, task in zip(moves["both"], moves["task"], strict=True)
    ]
    # All but the logits' own two are reached, and held at the bound.
    np.testing.assert_allclose(shares, [0.5] * (len(shares) - 2) + [0, 0], rtol=2e-3)


@pytest.mark.parametrize("name", ["kd_svd", "kd_eid"])
def test_maps_of_other_channels_are_refused_with_both_shapes(name: str) -> None:
    method = of("upstream", name, taps=("stem", "stage1"))
    with pytest.raises(ConfigError, match=r"\(4, 8, 8, 4\).*\(4, 8, 8, 6\).*equal .*channels"):
        fit_taps(tiny(name="teacher", width=6), tiny(), method, 1, tiny_data(8).labels)


def test_more_vectors_than_a_map_has_are_refused() -> None:
    method = of("seed", taps=("stem", "stage1"), vectors=5)
    with pytest.raises(ConfigError, match=r"k = 5; expected 1 to 4"):
        fit_taps(tiny(name="teacher"), tiny(), method, 1, tiny_data(8).labels)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("taps", ("stage1",)),
        ("vectors", 0),
        ("spare", -1),
        ("reduction", "max"),
        ("weight", 0.0),
        ("k", 2),
    ],
)
def test_a_bad_hyper_parameter_is_refused_by_its_name(parameter: str, value) -> None:
    with pytest.raises(ValidationError) as refusal:
        of("upstream", **{parameter: value})
    [error] = refusal.value.errors()
    assert error["loc"] == (parameter,)
