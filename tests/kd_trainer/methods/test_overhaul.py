import keras
import numpy as np
import pytest
from feature_cases import STUDENT, TEACHER, identity, weighted
from kd_helpers import changed, snapshot, tiny, tiny_data
from keras import layers

from kd_trainer import training
from kd_trainer.distiller import Distiller
from kd_trainer.errors import ConfigError
from kd_trainer.methods import Setting, create
from kd_trainer.methods.overhaul import MarginReLU, batch_norm_of, margins
from kd_trainer.networks import build


def method(**config: object):
    return create({"name": "overhaul", **config})


def norm_of(gamma: list, beta: list) -> layers.BatchNormalization:
    norm = layers.BatchNormalization()
    norm.build((None, len(gamma)))
    norm.gamma.assign(gamma)
    norm.beta.assign(beta)
    return norm


def test_the_margin_is_the_expected_negative_value() -> None:
    gamma, beta = [1.0, -0.5, 2.0, 0.3], [0.0, 0.4, -3.0, 0.8]
    draws = np.random.default_rng(0).normal(size=(1_000_000, 1)) * np.abs(gamma) + beta
    expected = [channel[channel < 0].mean() for channel in draws.T]
    np.testing.assert_allclose(margins(norm_of(gamma, beta)), expected, rtol=0.02)


def test_the_margin_of_a_channel_that_is_hardly_ever_negative() -> None:
    # 1 - Φ(3.09) is 0.001; a channel that is constant has no margin.
    np.testing.assert_allclose(
        margins(norm_of([0.5, -0.5, 0.5, 0.0], [5.0, 1.56, 1.5, 1.0])),
        [-1.5, -1.5, -0.143, 0.0],
        atol=5e-3,
    )


def test_the_total_is_that_of_plain_numpy() -> None:
    [stage] = method(taps=["one", "two"]).stages(1)
    margin = {"one": np.float32([-0.1, -0.4, -2.0]), "two": np.full(6, -0.3, "float32")}
    relus = {f"{tap}_margin": MarginReLU(value, tap) for tap, value in margin.items()}
    found = weighted(stage, one=identity, two=identity, **relus)
    expected = 0.0
    for tap, weight in [("one", 5e-4), ("two", 1e-3)]:
        bounds = np.broadcast_to(margin[tap], TEACHER[tap].shape)
        for s, t, m in zip(STUDENT[tap].flat, TEACHER[tap].flat, bounds.flat, strict=True):
            # As the three cases of mdistiller.
            apart = (s - m) ** 2 * (s > m and t <= m)
            apart += (s - t) ** 2 * (s > t and m < t <= 0) + (s - t) ** 2 * (t > 0)
            expected += weight * apart / 4
    assert found == pytest.approx(2.0187721 + expected, rel=1e-5)


def test_the_margin_is_that_of_the_batch_norm_before_the_sum() -> None:
    network = build("resnet20", 5)
    for number in (1, 2, 3):
        found = batch_norm_of(network, f"stage{number}_preact")
        assert found is network.get_layer(f"stage{number}_block3_bn2")
    assert batch_norm_of(network, "stem_preact") is network.get_layer("stem_preact")


@pytest.mark.parametrize(("tap", "layer"), [("stage1", "ReLU"), ("pooled", "GlobalAverage")])
def test_a_tap_without_a_batch_norm_is_refused(tap: str, layer: str) -> None:
    with pytest.raises(ConfigError, match=rf"'{tap}'.*'teacher'.*{layer}.*before the ReLU"):
        batch_norm_of(tiny(name="teacher"), tap)


def test_a_batch_norm_without_scale_is_refused() -> None:
    inputs = keras.Input((8, 8, 3))
    network = keras.Model(inputs, layers.BatchNormalization(scale=False, name="tap")(inputs))
    with pytest.raises(ConfigError, match="with scale and centre"):
        batch_norm_of(network, "tap")


def test_one_stage_reads_what_is_before_the_relu() -> None:
    [stage] = method().stages(30)
    assert (stage.name, stage.epochs, stage.task_weight) == ("distil", 30, 1.0)
    taps = ("stage1_preact", "stage2_preact", "stage3_preact")
    assert stage.student_taps == stage.teacher_taps == stage.adapters == taps
    assert stage.weights == {"feature": 1e-3}
    assert stage.teacher_mode == "batch statistics"


def test_a_step_trains_the_connector_and_leaves_the_teacher() -> None:
    keras.utils.set_random_seed(0)
    student, teacher = tiny(), tiny(name="teacher", width=6)
    overhaul, data = method(taps=["stage1_preact"]), tiny_data(16)
    adapters = training.fit_taps(teacher, student, overhaul, 1, data.labels)
    assert not adapters["stage1_preact_margin"].variables
    connector, before = adapters["stage1_preact"], snapshot(teacher)
    assert connector(np.zeros((1, 4, 4, 8))).shape == (1, 4, 4, 12)
    kernel = np.array(connector.trainable_variables[0])
    distiller = Distiller(student, overhaul.stages(1)[0], teacher, adapters)
    distiller.compile(keras.optimizers.SGD(0.1))
    distiller.fit(data.images, data.labels, batch_size=16, verbose=0)
    assert (np.array(connector.trainable_variables[0]) != kernel).any()
    assert not changed(teacher, before)


def test_maps_that_cannot_be_bridged_are_refused() -> None:
    shapes = {"stem_preact": (5, 5, 4)}
    with pytest.raises(ConfigError, match=r"5x5.*8x8"):
        method(taps=["stem_preact"]).adapters(
            Setting(shapes, {"stem_preact": (8, 8, 4)}, tiny(), None)
        )


@pytest.mark.parametrize(
    ("parameter", "value"), [("taps", []), ("feature_weight", 0), ("teacher_mode", "trained")]
)
def test_a_bad_hyper_parameter_is_refused(parameter: str, value: object) -> None:
    with pytest.raises(ValueError, match=parameter):
        method(**{parameter: value})
