import keras
import numpy as np
import pytest
from feature_cases import SHAPES, STUDENT, TEACHER, draw, identity, terms, weighted
from kd_helpers import tiny, tiny_data

from kd_trainer import training
from kd_trainer.distiller import Distiller
from kd_trainer.errors import ConfigError
from kd_trainer.methods import Setting, create


def method(preset: str, **config: object):
    return create({"name": "vid", "preset": preset, **config})


def setting(student: dict, teacher: dict) -> Setting:
    return Setting(student, teacher, None, None)


# With the identity as regressor: the reference's values at a variance of 5 and of softplus(5) + 1.
GOLDEN = {"crd": (5.0, 0.89038945), "upstream": (6.006715, 0.9677513)}


@pytest.mark.parametrize("preset", GOLDEN)
def test_the_loss_is_the_references_at_the_initial_variance(preset: str) -> None:
    variance, golden = GOLDEN[preset]
    vid = method(preset, taps=["one"])
    gaussian = vid.adapters(setting(SHAPES, SHAPES))["one"]
    _, found = gaussian(STUDENT["one"])
    np.testing.assert_allclose(found, [variance] * 3, rtol=1e-5)
    [stage] = vid.stages(1)
    total = weighted(stage, one=lambda x, training: (x, found))
    assert total == pytest.approx(2.0187721 + golden, rel=1e-5)


def test_the_mean_is_that_of_three_convolutions() -> None:
    vid = method("crd", taps=["two"])
    gaussian = vid.adapters(setting(SHAPES, SHAPES | {"two": (2, 2, 4)}))["two"]
    mean = STUDENT["two"]
    for number, kernel in enumerate(gaussian.mean.get_weights()):
        assert kernel.shape == (1, 1, 4 if number else 6, 4)
        mean = mean @ kernel[0, 0]
        mean = np.maximum(mean, 0) if number < 2 else mean
    np.testing.assert_allclose(gaussian(STUDENT["two"])[0], mean, rtol=1e-4, atol=1e-5)


def test_the_regressors_have_the_widths_of_the_presets() -> None:
    def kernels(preset: str) -> list[tuple[int, ...]]:
        vid = method(preset, taps=["one"])
        [gaussian] = vid.adapters(setting(SHAPES, {"one": (4, 4, 5)})).values()
        return [variable.shape for variable in gaussian.trainable_variables]

    assert kernels("crd") == [(5,), (1, 1, 3, 5), (1, 1, 5, 5), (1, 1, 5, 5)]
    wide = [(1, 1, 3, 10), (10,), (10,), (1, 1, 10, 10), (10,), (10,), (1, 1, 10, 5), (5,), (5,)]
    assert kernels("upstream") == [(5,), *wide]


@pytest.mark.parametrize("preset", GOLDEN)
def test_one_stage_reads_the_three_outputs(preset: str) -> None:
    [stage] = method(preset).stages(30)
    assert (stage.name, stage.epochs, stage.task_weight) == ("distil", 30, 1.0)
    taps = ("stage1", "stage2", "stage3")
    assert stage.student_taps == stage.teacher_taps == stage.adapters == taps
    assert stage.weights == {"information": 1.0}


@pytest.mark.parametrize("preset", GOLDEN)
def test_a_step_trains_the_variance(preset: str) -> None:
    keras.utils.set_random_seed(0)
    student, teacher = tiny(), tiny(name="teacher", width=6)
    vid = method(preset, taps=["stem", "stage1"])
    data = tiny_data(16)
    adapters = training.fit_taps(teacher, student, vid, 1, data.labels)
    before = {tap: np.array(layer.alpha) for tap, layer in adapters.items()}
    distiller = Distiller(student, vid.stages(1)[0], teacher, adapters)
    distiller.compile(keras.optimizers.SGD(0.1))
    distiller.fit(data.images, data.labels, batch_size=16, verbose=0)
    for tap, layer in adapters.items():
        assert (np.array(layer.alpha) != before[tap]).all()


def test_maps_of_another_size_are_pooled() -> None:
    vid = method("crd", taps=["a"])
    small, large = draw(4, 4, 4, 3), draw(4, 8, 8, 3, seed=1)
    pooled = large.reshape(4, 4, 2, 4, 2, 3).mean((2, 4))
    [stage] = vid.stages(1)
    for pair, same in [((small, large), (small, pooled)), ((large, small), (pooled, small))]:
        gaussian = vid.adapters(setting(*({"a": side.shape[1:]} for side in pair)))
        found, expected = ([{"a": side} for side in sides] for sides in (pair, same))
        assert terms(stage, *found, gaussian) == pytest.approx(
            terms(stage, *expected, gaussian), rel=1e-5
        )


def test_what_is_no_map_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"pooled: .*\(6,\).*\(8,\).*feature maps"):
        method("crd", taps=["pooled"]).adapters(setting({"pooled": (6,)}, {"pooled": (8,)}))


def test_the_loss_goes_below_zero() -> None:
    [stage] = method("crd", taps=["one"]).stages(1)
    sure = {"one": lambda x, training: (identity(x, training=training), np.full(3, 0.1))}
    assert terms(stage, TEACHER, TEACHER, sure)["information"] < 0


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("taps", []), ("minimum_variance", 5.0), ("initial_variance", 0), ("hidden_widths", 0)],
)
def test_a_bad_hyper_parameter_is_refused(parameter: str, value: object) -> None:
    with pytest.raises(ValueError, match=parameter):
        method("crd", **{parameter: value})
