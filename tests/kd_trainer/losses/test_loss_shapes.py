"""Maps of different sizes are pooled where the method says so; all else is refused."""

import numpy as np
import pytest

from kd_trainer import losses
from kd_trainer.errors import ConfigError
from kd_trainer.losses.pooling import average_pool_to, max_pool_to_smaller


def maps(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [random.normal(size=shape) for shape in shapes]


EQUAL = {
    "hint": losses.hint,
    "activation_boundary": losses.activation_boundary,
    "partial_distance": losses.partial_distance,
    "factor_transfer": losses.factor_transfer,
    "jacobian_matching": losses.jacobian_matching,
    "variational_information": lambda s, t: losses.variational_information(s, [1.0], t),
    "correlation_congruence": losses.correlation_congruence,
    "hierarchical_context": losses.hierarchical_context,
}


@pytest.mark.parametrize(("name", "loss"), EQUAL.items(), ids=EQUAL)
def test_different_shapes_are_refused_and_named(name: str, loss) -> None:
    # Broadcasting would make a number of them.
    with pytest.raises(ConfigError, match=rf"{name}: .*\(4, 4, 4, 3\).*\(4, 4, 4, 1\).*equal"):
        loss(*maps((4, 4, 4, 3), (4, 4, 4, 1)))


LOGITS = {
    "kl_divergence": losses.kl_divergence,
    "decoupled": lambda s, t: losses.decoupled(s, t, [0, 1, 2, 0], 1.0, 8.0, 4.0),
    "dist": lambda s, t: losses.dist(s, t, 1.0),
}


@pytest.mark.parametrize(("name", "loss"), LOGITS.items(), ids=LOGITS)
def test_logits_of_different_classes_are_refused(name: str, loss) -> None:
    with pytest.raises(ConfigError, match=rf"{name}: .*\(4, 5\).*\(4, 6\).*classes"):
        loss(*maps((4, 5), (4, 6)))


def test_two_classes_cannot_be_decoupled() -> None:
    with pytest.raises(ConfigError, match=r"\(4, 2\).*at least 3 classes.*kl_divergence"):
        losses.decoupled(*maps((4, 2), (4, 2)), [0, 1, 0, 1], 1.0, 8.0, 4.0)


def test_one_class_cannot_be_standardized() -> None:
    with pytest.raises(ConfigError, match=r"\(4, 1\).*2 or more classes"):
        losses.standardize_logits(*maps((4, 1)))


@pytest.mark.parametrize(
    "loss",
    [
        losses.attention_distance,
        losses.attention_transfer,
        losses.neuron_selectivity_transfer,
        losses.rkd_distance,
        losses.rkd_angle,
        losses.similarity_preserving,
        losses.probabilistic_knowledge_transfer,
    ],
)
def test_different_batches_are_refused(loss) -> None:
    with pytest.raises(ConfigError, match=r"\(4, 4, 4, 3\).*\(1, 4, 4, 3\).*equal batches"):
        loss(*maps((4, 4, 4, 3), (1, 4, 4, 3)))


POOLED = [
    losses.attention_distance,
    losses.attention_transfer,
    losses.neuron_selectivity_transfer,
]


@pytest.mark.parametrize("loss", POOLED)
def test_pooled_features_are_no_maps(loss) -> None:
    with pytest.raises(ConfigError, match=r"\(4, 6\).*feature maps"):
        loss(*maps((4, 6), (4, 6)))


def test_fsp_refuses_different_channels() -> None:
    student, teacher = maps((4, 4, 4, 3), (4, 2, 2, 6)), maps((4, 4, 4, 3), (4, 2, 2, 8))
    with pytest.raises(ConfigError, match=r"\(4, 2, 2, 6\).*\(4, 2, 2, 8\).*channels"):
        losses.flow_of_solution_procedure(student, teacher)


def test_fsp_bridges_resolutions_of_student_and_teacher() -> None:
    student = maps((4, 4, 4, 3), (4, 4, 4, 6))
    larger = [np.repeat(np.repeat(x, 2, 1), 2, 2) for x in student]
    assert float(losses.flow_of_solution_procedure(student, larger)) == pytest.approx(0, abs=1e-9)


def test_fsp_refuses_sizes_that_do_not_divide() -> None:
    pair = maps((4, 5, 5, 3), (4, 2, 2, 6))
    with pytest.raises(ConfigError, match=r"\(4, 5, 5, 3\).*\(4, 2, 2, 6\).*multiples"):
        losses.flow_of_solution_procedure(pair, pair)


def test_kd_svd_says_what_it_needs() -> None:
    one, other = maps((4, 4, 4, 3), (4, 2, 2, 6))
    with pytest.raises(ConfigError, match="1 maps of the student and 1 of the teacher"):
        losses.kd_svd([one], [one])
    with pytest.raises(ConfigError, match="2 maps of the student and 1 of the teacher"):
        losses.kd_svd([one, other], [one])
    with pytest.raises(ConfigError, match=r"\(4, 4, 4, 3\).*\(4, 2, 2, 6\).*channels"):
        losses.kd_svd([one, other], [other, one])
    with pytest.raises(ConfigError, match="k = 4; expected 1 to 3"):
        losses.kd_svd([one, other], [one, other], k=4)


@pytest.mark.parametrize("loss", POOLED)
def test_the_larger_map_is_pooled_whichever_it_is(loss) -> None:
    small, large = maps((4, 2, 4, 3), (4, 4, 8, 3))
    pooled = large.reshape(4, 2, 2, 4, 2, 3).mean((2, 4))
    assert float(loss(small, large)) == pytest.approx(float(loss(small, pooled)), rel=1e-5)
    assert float(loss(large, small)) == pytest.approx(float(loss(pooled, small)), rel=1e-5)


def test_average_pooling_has_pytorchs_bins() -> None:
    [feature] = maps((2, 5, 7, 3))
    found = average_pool_to(feature.astype("float32"), 2, 3)
    for i, rows in enumerate([slice(0, 3), slice(2, 5)]):
        for j, columns in enumerate([slice(0, 3), slice(2, 5), slice(4, 7)]):
            expected = feature[:, rows, columns].mean((1, 2))
            np.testing.assert_allclose(found[:, i, j], expected, atol=1e-6)


def test_max_pooling_takes_each_axis_to_the_smaller() -> None:
    first, second = maps((2, 4, 2, 3), (2, 2, 6, 5))
    pooled = max_pool_to_smaller(first, second)
    np.testing.assert_allclose(pooled[0], first.reshape(2, 2, 2, 2, 3).max(2), rtol=1e-6)
    np.testing.assert_allclose(pooled[1], second.reshape(2, 2, 2, 3, 5).max(3), rtol=1e-6)


@pytest.mark.parametrize(("height", "width"), [(4, 5), (5, 4)])
def test_max_pooling_wants_whole_windows_on_both_axes(height, width) -> None:
    large, small = maps((2, height, width, 3), (2, 2, 2, 3))
    with pytest.raises(ConfigError, match="multiples of one another"):
        max_pool_to_smaller(large, small)
    with pytest.raises(ConfigError, match="multiples of one another"):
        max_pool_to_smaller(small, large)
