import keras
import numpy as np
import pytest
from kd_helpers import changed, snapshot, tiny, tiny_data
from pydantic import ValidationError

from kd_trainer.distiller import Distiller
from kd_trainer.errors import ConfigError
from kd_trainer.losses import attention_graph
from kd_trainer.methods import Method, Setting, Step, create
from kd_trainer.methods.mhgd import Attention, Estimator
from kd_trainer.training import fit_taps

TAPS = ("stage1", "stage2", "stage3")


def of(**changes) -> Method:
    return create({"name": "mhgd", **changes})


@pytest.fixture
def random() -> np.random.Generator:
    keras.utils.set_random_seed(0)
    return np.random.default_rng(0)


def softmax(x: np.ndarray) -> np.ndarray:
    x = np.exp(x - x.max(-1, keepdims=True))
    return x / x.sum(-1, keepdims=True)


def divergence(student: np.ndarray, teacher: np.ndarray) -> float:
    """KL(student ‖ teacher), summed over heads and rows."""
    p, q = softmax(np.tanh(student)), softmax(np.tanh(teacher))
    return (p * np.log(p / q)).sum()


def test_the_loss_of_two_graphs_is_that_of_plain_numpy(random) -> None:
    graphs = random.normal(0, 2, (2, 3, 5, 5))
    expected = divergence(*graphs) / 5
    assert float(attention_graph(*graphs)) == pytest.approx(expected, rel=1e-5)
    assert float(attention_graph(graphs[0], graphs[0])) == pytest.approx(0, abs=1e-6)
    # Not the other way about.
    assert divergence(*graphs[::-1]) / 5 != pytest.approx(expected, rel=1e-2)


def test_graphs_of_other_shapes_are_refused(random) -> None:
    with pytest.raises(ConfigError, match=r"\(2, 4, 4\).*\(3, 4, 4\).*equal shapes"):
        attention_graph(random.normal(size=(2, 4, 4)), random.normal(size=(3, 4, 4)))


def dense(vectors: np.ndarray, part: keras.Sequential, training: bool) -> np.ndarray:
    """A linear map and BatchNorm."""
    mapping, norm = part.layers
    x = vectors @ np.array(mapping.kernel, np.float64)
    mean, variance = x.mean(0), x.var(0)
    if not training:
        mean, variance = np.array(norm.moving_mean), np.array(norm.moving_variance)
    x = (x - mean) / np.sqrt(variance + 1e-5)
    return x * np.array(norm.gamma) + np.array(norm.beta)


def graph_of(layer: Attention, before: np.ndarray, now: np.ndarray, training: bool) -> np.ndarray:
    senders, receivers = (
        dense(vectors, part, training).reshape(len(vectors), *layer.shape)
        for vectors, part in ((now, layer.senders), (before, layer.receivers))
    )
    return np.einsum("bhd,chd->hbc", senders, receivers)


def shaken(layer: keras.Layer, random: np.random.Generator) -> keras.Layer:
    """The layer with moving statistics, scales and shifts that are not those it starts with."""
    for weight in layer.weights:
        weight.assign(np.abs(random.normal(1, 0.5, weight.shape)))
    return layer


@pytest.mark.parametrize("training", [True, False])
def test_attention_is_senders_times_receivers_of_every_head(training: bool, random) -> None:
    layer = shaken(Attention(4, 6, 3), random)
    assert layer.shape == (3, 5)
    before, now = random.normal(size=(7, 4)), random.normal(size=(7, 6))
    expected = graph_of(layer, before, now, training)
    found = layer(before.astype("float32"), now.astype("float32"), training=training)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_the_estimate_is_what_every_head_sees_mapped(random) -> None:
    layer = shaken(Estimator(4, 6, 3), random)
    before, graph = random.normal(size=(7, 4)), random.normal(size=(3, 7, 7))
    values = np.maximum(dense(before, layer.values, False), 0)
    seen = np.concatenate([attention @ values for attention in softmax(graph)], axis=-1)
    expected = seen @ np.array(layer.output_map.kernel) + np.array(layer.output_map.bias)
    found = layer(before.astype("float32"), graph.astype("float32"))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_in_training_some_heads_of_each_sample_are_dropped_and_never_all(random) -> None:
    layer = Estimator(4, 8, 4)
    # The output is what the heads see, which are all the same.
    layer.output_map.kernel.assign(np.repeat(np.eye(4), 6, axis=0)[:, [0, 1, 2, 3] * 2])
    layer.values.layers[0].kernel.assign(np.zeros((4, 6)))
    layer.values.layers[1].beta.assign(np.ones(6))
    before, graph = random.normal(size=(64, 4)), np.zeros((4, 64, 64))
    kept = [
        np.array(layer(before.astype("float32"), graph.astype("float32"), training=True))[:, :4] / 6
        for _ in range(2)
    ]
    np.testing.assert_allclose(kept[0], np.round(kept[0]), atol=1e-5)
    counts = np.round(kept[0]).sum(axis=1)
    assert counts.min() >= 1
    assert counts.max() <= 3
    assert 0.4 < kept[0].mean() < 0.6
    assert np.abs(kept[0] - kept[1]).max() > 0.9  # another draw


def vectors(maps: list) -> list:
    """The first singular vectors of maps after a ReLU."""
    return [
        np.abs(np.linalg.svd(x.reshape(len(x), -1, x.shape[-1]), full_matrices=False)[2][:, 0])
        for x in maps
    ]


def step(method: Method, random: np.random.Generator) -> tuple:
    shapes = [(6, 4, 4, 4), (6, 4, 4, 6), (6, 2, 2, 8)]
    student, teacher = (
        [np.maximum(random.normal(size=shape), 0) for shape in shapes] for _ in range(2)
    )
    setting = dict(zip(TAPS, [shape[1:] for shape in shapes], strict=True))
    adapters = method.adapters(Setting(setting, setting, None, None))
    for adapter in adapters.values():
        shaken(adapter, random)
    taps = (
        dict(zip(TAPS, [x.astype("float32") for x in side], strict=True))
        for side in (student, teacher)
    )
    return Step(*taps, np.zeros(6, "int64"), adapters), student, teacher


def test_the_attention_is_trained_to_estimate_the_teachers_later_vectors(random) -> None:
    method = of()
    given, _, teacher = step(method, random)
    estimators = {name: given.adapters[f"{name}_estimator"] for name in ("stage2", "stage3")}
    for name, estimator in estimators.items():
        # In inference mode no head is dropped.
        given.adapters[f"{name}_estimator"] = lambda *inputs, training, layer=estimator: layer(
            *inputs
        )
    found = method.stages(10)[0].terms(given)
    expected, [first, *later] = 0.0, vectors(teacher)
    for name, now in zip(("stage2", "stage3"), later, strict=True):
        graph = graph_of(given.adapters[f"{name}_attention"], first, now, True)
        layer = estimators[name]
        values = np.maximum(dense(first, layer.values, False), 0)
        seen = np.concatenate([attention @ values for attention in softmax(graph)], axis=-1)
        estimate = seen @ np.array(layer.output_map.kernel) + np.array(layer.output_map.bias)
        lengths = np.linalg.norm(estimate, axis=1) * np.linalg.norm(now, axis=1)
        expected += 1 - ((estimate * now).sum(1) / lengths).mean()
        first = now
    assert {name: float(value) for name, value in found.items()} == {
        "estimate": pytest.approx(expected, rel=1e-3)
    }


@pytest.mark.parametrize(("reduction", "factor"), [("sum", 1), ("mean", 1 / 6)])
def test_the_graphs_are_held_against_each_other(reduction: str, factor: float, random) -> None:
    method = of(reduction=reduction)
    given, student, teacher = step(method, random)
    for adapter in given.adapters.values():
        adapter.trainable = False
    found = method.stages(10)[1].terms(given)
    # The nearest of the student's four, signed alike.
    ours = []
    for x, target in zip(student, vectors(teacher), strict=True):
        offered = np.linalg.svd(x.reshape(6, -1, x.shape[-1]), full_matrices=False)[2][:, :4]
        cosines = np.einsum("bnc,bc->bn", offered, target)
        best = np.abs(cosines).argmax(1)
        ours.append(offered[range(6), best] * np.sign(cosines[range(6), best])[:, None])
    expected = 0.0
    for number, name in enumerate(("stage2", "stage3")):
        layer = given.adapters[f"{name}_attention"]
        graphs = [
            graph_of(layer, side[number], side[number + 1], False)
            for side in (ours, vectors(teacher))
        ]
        expected += divergence(*graphs)
    assert float(found["graph"]) == pytest.approx(factor * expected, rel=1e-3)


def test_the_preset_has_the_seeds_two_stages() -> None:
    attention, distil = of(preset="upstream").stages(100)
    assert (attention.name, attention.epochs, attention.task_weight) == ("attention", 40, 0.0)
    assert (attention.student_taps, attention.teacher_taps) == ((), TAPS)
    assert attention.schedule == "constant"
    assert attention.weights == {"estimate": 1.0}
    assert len(attention.adapters) == 4
    assert (distil.name, distil.epochs, distil.task_weight) == ("distil", 100, 1.0)
    assert distil.student_taps == distil.teacher_taps == TAPS
    assert distil.weights == {"graph": 1.0}
    assert not distil.adapters
    assert distil.gradient_bounds["graph"](0) == 0.5
    assert distil.gradient_bounds["graph"](50) == 1.0
    assert of().config.heads == 8


def test_the_attention_is_trained_alone_and_then_frozen() -> None:
    keras.utils.set_random_seed(0)
    student, teacher = tiny(name="student", stages=2), tiny(name="teacher", stages=2)
    method, data = of(taps=("stage1", "stage2")), tiny_data(16)
    adapters = fit_taps(teacher, student, method, 1, data.labels)
    before = [snapshot(one) for one in (student, *adapters.values())]
    moved = []
    for stage in method.stages(1):
        distiller = Distiller(student, stage, teacher, adapters)
        distiller.compile(keras.optimizers.SGD(0.05))
        distiller.fit(data.images, data.labels, batch_size=8, verbose=0)
        networks = (student, *adapters.values())
        moved.append([len(changed(one, was)) for one, was in zip(networks, before, strict=True)])
        before = [snapshot(one) for one in networks]
    sizes = [len(one) for one in before]
    assert moved == [[0, *sizes[1:]], [sizes[0], 0, 0]]


def test_maps_of_other_channels_are_refused_with_both_shapes() -> None:
    method = of(taps=("stem", "stage1"))
    with pytest.raises(ConfigError, match=r"\(8, 8, 4\).*\(8, 8, 6\).*equal channels"):
        fit_taps(tiny(name="teacher", width=6), tiny(), method, 1, tiny_data(8).labels)


def test_a_tap_that_is_no_map_is_refused() -> None:
    method = of(taps=("stage1", "pooled"))
    with pytest.raises(ConfigError, match=r"'pooled' has the shape \(8,\).*feature maps"):
        fit_taps(tiny(name="teacher"), tiny(), method, 1, tiny_data(8).labels)


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("taps", ("stage1",)),
        ("heads", 1),
        ("attention_epochs", 0.0),
        ("reduction", "max"),
        ("weight", 0.0),
    ],
)
def test_a_bad_hyper_parameter_is_refused_by_its_name(parameter: str, value) -> None:
    with pytest.raises(ValidationError) as refusal:
        of(**{parameter: value})
    [error] = refusal.value.errors()
    assert error["loc"] == (parameter,)
