import keras
import numpy as np
import pytest
from feature_cases import STUDENT, TEACHER, draw, identity, terms, weighted
from kd_helpers import changed, snapshot, tiny, tiny_data

from kd_trainer import training
from kd_trainer.distiller import Distiller
from kd_trainer.errors import ConfigError
from kd_trainer.methods import Setting, create

PRESETS = ("crd", "paper", "upstream")


def method(preset: str, **config: object):
    return create({"name": "factor_transfer", "preset": preset, **config})


def setting(student: tuple, teacher: tuple) -> Setting:
    return Setting({"tap": student}, {"tap": teacher}, None, None)


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def attention(factor: np.ndarray) -> np.ndarray:
    return unit((factor**2).mean(-1).reshape(4, -1))


# With the factors as they are: the reference's value for `paper`, plain NumPy for the others.
TOTALS = {
    "crd": 200 * abs(attention(STUDENT["one"]) - attention(TEACHER["one"])).mean(),
    "paper": 500 * 0.14949746,
    "upstream": 500
    * abs(unit(STUDENT["one"].reshape(-1, 3)) - unit(TEACHER["one"].reshape(-1, 3))).mean(),
}


@pytest.mark.parametrize("preset", PRESETS)
def test_the_total_is_the_references(preset: str) -> None:
    _, distil = method(preset, tap="one").stages(10)
    found = weighted(distil, translator=identity, paraphraser=identity)
    assert found == pytest.approx(2.0187721 + TOTALS[preset], rel=1e-5)


@pytest.mark.parametrize(("preset", "weight", "power"), [("crd", 0.2, 2), ("paper", 1.0, 1)])
def test_the_reconstruction_is_that_of_plain_numpy(preset: str, weight: float, power: int) -> None:
    paraphrase, _ = method(preset, tap="one").stages(10)
    found = weighted(
        paraphrase, paraphraser=identity, decoder=lambda factor, training: 0.5 * factor
    )
    assert found == pytest.approx(weight * (abs(0.5 * TEACHER["one"]) ** power).mean(), rel=1e-5)


@pytest.mark.parametrize(
    ("preset", "epochs", "reconstruction", "factor"),
    [("crd", 30, 0.2, 200), ("paper", 9, 1.0, 500), ("upstream", 96, 1.0, 500)],
)
def test_the_paraphraser_comes_first(
    preset: str, epochs: int, reconstruction: float, factor: float
) -> None:
    paraphrase, distil = method(preset).stages(240)
    assert (paraphrase.name, paraphrase.epochs, paraphrase.task_weight) == (
        "paraphrase",
        epochs,
        0.0,
    )
    assert (paraphrase.student_taps, paraphrase.teacher_taps) == ((), ("stage3",))
    assert paraphrase.adapters == ("paraphraser", "decoder")
    assert (paraphrase.weights, paraphrase.schedule) == (
        {"reconstruction": reconstruction},
        "constant",
    )
    assert (distil.name, distil.epochs, distil.task_weight) == ("distil", 240, 1.0)
    assert distil.student_taps == distil.teacher_taps == ("stage3",)
    assert (distil.adapters, distil.weights) == (("translator",), {"factor": factor})


def kernels(layer: keras.Layer) -> list[tuple[int, ...]]:
    return [v.shape for v in layer.trainable_variables if v.path.endswith("kernel")]


def test_the_convolutions_are_the_references() -> None:
    for preset in ("crd", "paper"):
        adapters = method(preset, tap="tap").adapters(setting((8, 8, 12), (8, 8, 16)))
        three = (3, 3)
        assert kernels(adapters["paraphraser"]) == [
            (*three, 16, 16),
            (*three, 16, 8),
            (*three, 8, 8),
        ]
        # Of a transposed convolution the outputs come first.
        assert kernels(adapters["decoder"]) == [(*three, 8, 8), (*three, 16, 8), (*three, 16, 16)]
        assert kernels(adapters["translator"]) == [
            (*three, 12, 12),
            (*three, 12, 8),
            (*three, 8, 8),
        ]
        norms = [layer for layer in adapters["translator"].layers if "norm" in layer.name]
        assert len(norms) == (3 if preset == "crd" else 0)


def test_upstreams_factor_has_half_the_size_and_an_eighth_of_the_channels() -> None:
    adapters = method("upstream", tap="tap").adapters(setting((8, 8, 16), (8, 8, 16)))
    feature = draw(2, 8, 8, 16)
    factor = adapters["paraphraser"](feature)
    assert factor.shape == adapters["translator"](feature).shape == (2, 4, 4, 2)
    assert adapters["decoder"](factor).shape == (2, 8, 8, 16)
    # A LeakyReLU of 0.2 would have made most of what is negative small.
    assert np.array(factor).min() < -0.2 * np.array(factor).max()
    assert kernels(adapters["decoder"]) == [(3, 3, 4, 2), (3, 3, 8, 4), (3, 3, 16, 8)]


@pytest.mark.parametrize(
    "preset", ["crd", *(pytest.param(p, marks=pytest.mark.slow) for p in PRESETS if p != "crd")]
)
def test_the_paraphraser_is_trained_alone_and_then_left(preset: str) -> None:
    keras.utils.set_random_seed(0)
    student, teacher = tiny(), tiny(name="teacher", width=6)
    transfer, data = method(preset, tap="stage1"), tiny_data(16)
    adapters = training.fit_taps(teacher, student, transfer, 1, data.labels)
    for stage, trained in zip(
        transfer.stages(1), [{"paraphraser", "decoder"}, {"translator"}], strict=True
    ):
        before = {name: layer.get_weights() for name, layer in adapters.items()}
        untouched = snapshot(student)
        distiller = Distiller(student, stage, teacher, adapters)
        distiller.compile(keras.optimizers.SGD(0.1))
        distiller.fit(data.images, data.labels, batch_size=16, verbose=0)
        moved = {
            name
            for name, layer in adapters.items()
            if any((a != b).any() for a, b in zip(layer.get_weights(), before[name], strict=True))
        }
        assert moved == trained
        assert bool(changed(student, untouched)) == ("translator" in trained)


@pytest.mark.parametrize("preset", PRESETS)
def test_factors_of_another_size_are_pooled(preset: str) -> None:
    _, distil = method(preset, tap="a").stages(1)
    small, large = draw(4, 4, 4, 3), draw(4, 8, 8, 3, seed=1)
    pooled = large.reshape(4, 4, 2, 4, 2, 3).mean((2, 4))
    leave = {"translator": identity, "paraphraser": identity}
    for pair, same in [((small, large), (small, pooled)), ((large, small), (pooled, small))]:
        found, expected = ([{"a": side} for side in sides] for sides in (pair, same))
        assert terms(distil, *found, leave) == pytest.approx(
            terms(distil, *expected, leave), rel=1e-5
        )


@pytest.mark.parametrize(
    ("preset", "student", "teacher", "message"),
    [
        ("crd", (16,), (16,), r"tap: .*\(16,\).*feature maps"),
        ("upstream", (7, 7, 16), (7, 7, 16), r"\(7, 7, 16\).*divide by 2"),
        ("upstream", (8, 8, 4), (8, 8, 4), r"\(8, 8, 4\).*8 or more channels"),
    ],
)
def test_a_tap_that_cannot_be_paraphrased_is_refused(
    preset: str, student: tuple, teacher: tuple, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        method(preset, tap="tap").adapters(setting(student, teacher))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("power", 3), ("factor_weight", 0), ("paraphraser_epochs", 0), ("projection", "small")],
)
def test_a_bad_hyper_parameter_is_refused(parameter: str, value: object) -> None:
    with pytest.raises(ValueError, match=parameter):
        method("crd", **{parameter: value})
