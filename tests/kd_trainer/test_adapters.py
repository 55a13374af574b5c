import numpy as np
import pytest
from keras import layers

from kd_trainer.adapters import conv_regressor
from kd_trainer.errors import ConfigError

BRIDGES = {
    "student twice as large": ((16, 16, 8), (8, 8, 12), layers.Conv2D),
    "student half as large": ((8, 8, 8), (16, 16, 12), layers.Conv2DTranspose),
    "one size": ((8, 8, 8), (8, 8, 12), layers.Conv2D),
    "student a little larger": ((10, 9, 8), (7, 8, 12), layers.Conv2D),
}


@pytest.mark.parametrize("bridge", BRIDGES)
def test_a_regressor_gives_the_teachers_shape(bridge: str) -> None:
    student, teacher, kind = BRIDGES[bridge]
    regressor = conv_regressor(student, teacher, name="stage1_regressor")
    assert regressor.name == "stage1_regressor"
    assert any(type(layer) is kind for layer in regressor.layers)
    x = np.random.default_rng(0).normal(size=(3, *student)).astype(np.float32)
    # Built already, so that a distiller finds its variables before the first batch.
    variables = len(regressor.trainable_variables)
    output = np.array(regressor(x, training=True))
    assert output.shape == (3, *teacher)
    assert len(regressor.trainable_variables) == variables == 3
    assert output.min() == 0.0
    assert output.max() > 0


def test_a_regressor_for_features_before_the_activation_has_none() -> None:
    regressor = conv_regressor((8, 8, 3), (8, 8, 5), name="connector", rectified=False)
    x = np.random.default_rng(0).normal(size=(3, 8, 8, 3)).astype(np.float32)
    output = np.array(regressor(x, training=True))
    np.testing.assert_allclose(output.mean((0, 1, 2)), np.zeros(5), atol=1e-5)
    assert output.min() < 0


@pytest.mark.parametrize(
    ("student", "teacher"),
    [((8, 8, 4), (12, 12, 4)), ((8, 16, 4), (16, 8, 4)), ((5, 5, 4), (16, 16, 4))],
)
def test_sizes_that_cannot_be_bridged_are_refused(student: tuple, teacher: tuple) -> None:
    message = f"stage2_regressor: .*{student[0]}x{student[1]}.*{teacher[0]}x{teacher[1]}"
    with pytest.raises(ConfigError, match=message):
        conv_regressor(student, teacher, name="stage2_regressor")


@pytest.mark.parametrize(
    ("student", "teacher"), [((64,), (8, 8, 4)), ((8, 8, 4), (64,)), ((64,), (64,))]
)
def test_what_is_no_feature_map_is_refused(student: tuple, teacher: tuple) -> None:
    with pytest.raises(ConfigError) as refusal:
        conv_regressor(student, teacher, name="pooled_regressor")
    assert str(student) in str(refusal.value)
    assert str(teacher) in str(refusal.value)
