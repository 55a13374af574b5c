import keras
import numpy as np
import pytest
from keras import ops

from kd_trainer.contrast_memory import ContrastMemory
from kd_trainer.errors import ConfigError

# Classes of different sizes, in no order, whose numbers have a gap.
LABELS = np.array([5, 0, 2, 5, 0, 5, 2, 5, 0, 5])


def memory(labels=LABELS, negatives: int = 6, **arguments) -> ContrastMemory:
    keras.utils.set_random_seed(3)
    defaults = {"width": 4, "temperature": 0.5, "momentum": 0.7, "name": "memory"}
    return ContrastMemory(labels, negatives=negatives, **(defaults | arguments))


def unit(count: int, seed: int, width: int = 4) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(count, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("float32")


def test_negatives_are_drawn_uniformly_from_the_other_classes() -> None:
    layer = memory(negatives=20000)
    drawn = np.array(layer.draw(np.arange(len(LABELS))))
    assert drawn.shape == (len(LABELS), 20000)
    for label, row in zip(LABELS, drawn, strict=True):
        others = np.flatnonzero(label != LABELS)
        counts = np.bincount(row, minlength=len(LABELS))
        assert set(np.flatnonzero(counts)) == set(others)
        # Five standard deviations of a binomial.
        mean = 20000 / len(others)
        assert np.abs(counts[others] - mean).max() < 5 * np.sqrt(mean)


def test_every_draw_is_another() -> None:
    layer = memory()
    first, second = (np.array(layer.draw(np.arange(10))) for _ in range(2))
    assert (first != second).any()
    assert (first[0] != first[3]).any()  # two images of a class


def test_a_call_compares_estimates_and_memorises() -> None:
    layer = memory()
    banks = [np.array(bank, np.float64) for bank in (layer.student_bank, layer.teacher_bank)]
    # PyTorch's initial weights of a layer of that width.
    assert all(0.8 < np.abs(bank).max() / np.sqrt(3 / 4) <= 1 for bank in banks)
    normalizers = [None, None]
    for step, indices in enumerate([np.array([3, 1, 6]), np.array([8, 3, 2])]):
        embeddings = unit(3, 2 * step), unit(3, 2 * step + 1)
        # What the call is going to draw.
        state = np.array(layer.seed_generator.state)
        drawn = np.concatenate([indices[:, None], np.array(layer.draw(indices))], axis=1)
        layer.seed_generator.state.assign(state)
        compared = layer(*embeddings, indices)
        for side, (similarities, normalizer, samples) in enumerate(compared):
            assert samples == len(LABELS)
            vectors = banks[1 - side][drawn]
            expected = np.einsum("bkd,bd->bk", vectors, embeddings[side]) / 0.5
            np.testing.assert_allclose(similarities, expected, rtol=1e-4, atol=1e-5)
            if step == 0:
                normalizers[side] = 10 * np.exp(expected).mean()
            assert float(normalizer) == pytest.approx(normalizers[side], rel=1e-5)
        for bank, embedding in zip(banks, embeddings, strict=True):
            moved = 0.7 * bank[indices] + 0.3 * embedding
            bank[indices] = moved / np.linalg.norm(moved, axis=1, keepdims=True)
        for bank, found in zip(banks, (layer.student_bank, layer.teacher_bank), strict=True):
            np.testing.assert_allclose(found, bank, rtol=1e-4, atol=1e-6)


def test_all_of_its_state_is_in_its_variables() -> None:
    layer, other = memory(), memory(momentum=0.7)
    layer(unit(2, 0), unit(2, 1), np.array([0, 1]))
    other.student_bank.assign(ops.zeros((10, 4)))
    assert len(layer.variables) == 5
    for mine, theirs in zip(layer.variables, other.variables, strict=True):
        theirs.assign(mine)
    results = [one(unit(2, 2), unit(2, 3), np.array([5, 1])) for one in (layer, other)]
    flat = [[np.array(value) for side in result for value in side] for result in results]
    for one, same in zip(*flat, strict=True):
        np.testing.assert_array_equal(one, same)


def test_nothing_of_it_is_trained() -> None:
    assert not memory().trainable_variables


def test_a_single_class_is_refused() -> None:
    with pytest.raises(ConfigError, match="all 4 training images are of the class 7"):
        memory(np.full(4, 7))
