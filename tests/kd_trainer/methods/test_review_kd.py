import keras
import numpy as np
import pytest
from feature_cases import LABELS, STUDENT, TEACHER, draw, terms
from kd_helpers import tiny, tiny_data

from kd_trainer import training
from kd_trainer.distiller import Distiller
from kd_trainer.losses import hierarchical_context
from kd_trainer.methods import Setting, Step, create
from kd_trainer.methods.review_kd import Fusion


def method(**config: object):
    return create({"name": "review_kd", **config})


def test_the_term_is_the_sum_of_the_references() -> None:
    review = method(student_taps=["one", "logits"], teacher_taps=["one", "logits"])
    [stage] = review.stages(1)
    # A fusion that leaves all as it is; HCL of the map, and the mean square of the vector.
    found = terms(stage, adapters={"fusion": lambda features, training: features})
    vectors = STUDENT["logits"], TEACHER["logits"]
    expected = 0.50911423 + ((vectors[0] - vectors[1]) ** 2).mean()
    assert found["review"] == pytest.approx(expected, rel=1e-5)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def normed(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
    axes = (0, 1, 2)
    return (x - x.mean(axes)) / np.sqrt(x.var(axes) + 1e-5) * gamma + beta


def conv3x3(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    height, width = x.shape[1:3]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return sum(
        padded[:, i : i + height, j : j + width] @ kernel[i, j] for i in range(3) for j in range(3)
    )


def test_the_fusion_is_that_of_plain_numpy() -> None:
    keras.utils.set_random_seed(0)
    students, teachers = [(4, 4, 3), (2, 2, 5), (1, 1, 7)], [(8, 8, 4), (2, 2, 6), (1, 1, 9)]
    fusion = Fusion(students, teachers, 7)
    random = np.random.default_rng(1)
    for variable in fusion.trainable_variables:
        variable.assign(random.normal(size=variable.shape))
    features = [draw(3, *shape, seed=n) for n, shape in enumerate(students)]
    found = fusion(features, training=True)

    later = None
    for n in (2, 1, 0):
        kernel, gamma, beta = (np.array(w) for w in fusion.inner[n].trainable_variables)
        x = normed(features[n] @ kernel[0, 0], gamma, beta)
        if later is not None:
            later = later.repeat(2, 1).repeat(2, 2)  # each is twice as large as the next
            kernel, bias = (np.array(w) for w in fusion.attention[n].trainable_variables)
            share = sigmoid(np.concatenate([x, later], -1) @ kernel[0, 0] + bias)
            x = share[..., :1] * x + share[..., 1:] * later
        if n == 0:
            x = x.repeat(2, 1).repeat(2, 2)  # to the teacher's size
        later = x
        kernel, gamma, beta = (np.array(w) for w in fusion.outer[n].trainable_variables)
        expected = normed(conv3x3(x, kernel), gamma, beta)
        assert expected.shape == (3, *teachers[n])
        np.testing.assert_allclose(found[n], expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("last", "width"), [(256, 256), (2048, 512)])
def test_the_width_is_that_of_the_last_map_but_limited(last: int, width: int) -> None:
    shapes = {"stage1": (8, 8, 16), "pooled": (last,)}
    review = method(student_taps=["stage1", "pooled"], teacher_taps=["stage1", "pooled"])
    fusion = review.adapters(Setting(shapes, shapes, None, None))["fusion"]
    assert fusion.inner[0].trainable_variables[0].shape == (1, 1, 16, width)


def test_one_stage_whose_weight_rises() -> None:
    [stage] = method().stages(240)
    assert (stage.name, stage.epochs, stage.task_weight) == ("distil", 240, 1.0)
    assert stage.student_taps == ("stage1", "stage2", "stage3", "pooled")
    assert stage.teacher_taps == ("stage1_preact", "stage2_preact", "stage3_preact", "pooled")
    weight = stage.weights["review"]
    assert [weight(epoch) for epoch in (0, 9, 19, 20, 239)] == [0.25, 2.5, 5, 5, 5]
    [short] = method().stages(3)
    assert short.weights["review"](0) == 5
    [sudden] = method(warmup=0).stages(240)
    assert sudden.weights["review"](0) == 5


@pytest.mark.slow
def test_a_step_trains_all_of_the_fusion() -> None:
    keras.utils.set_random_seed(0)
    student, teacher = tiny(stages=2), tiny(name="teacher", width=6, stages=2)
    taps = {
        "student_taps": ["stage1", "stage2", "pooled"],
        "teacher_taps": ["stage1_preact", "stem_preact", "pooled"],
    }
    review, data = method(**taps), tiny_data(16)
    adapters = training.fit_taps(teacher, student, review, 1, data.labels)
    variables = adapters["fusion"].trainable_variables
    assert len(variables) == 3 * 3 + 3 * 3 + 2 * 2
    before = [np.array(variable) for variable in variables]
    distiller = Distiller(student, review.stages(1)[0], teacher, adapters)
    distiller.compile(keras.optimizers.SGD(0.1))
    distiller.fit(data.images, data.labels, batch_size=16, verbose=0)
    assert all((np.array(v) != b).any() for v, b in zip(variables, before, strict=True))


def test_a_step_is_computed_on_pooled_features_too() -> None:
    [stage] = method(student_taps=["pooled"], teacher_taps=["pooled"]).stages(1)
    pooled = {"pooled": draw(4, 6)}, {"pooled": draw(4, 6, seed=1)}
    leave = {"fusion": lambda features, training: features}
    found = stage.terms(Step(*pooled, LABELS, leave))["review"]
    maps = (side["pooled"].reshape(4, 1, 1, 6) for side in pooled)
    assert float(found) == pytest.approx(float(hierarchical_context(*maps)))


BAD_VALUES = {
    "2 student_taps and 1 teacher_taps": {"student_taps": ["a", "b"], "teacher_taps": ["a"]},
    "width": {"width": 0},
    "warmup": {"warmup": 1.5},
    "review_weight": {"review_weight": 0},
}


@pytest.mark.parametrize("what", BAD_VALUES)
def test_a_bad_hyper_parameter_is_refused(what: str) -> None:
    with pytest.raises(ValueError, match=what):
        method(**BAD_VALUES[what])
