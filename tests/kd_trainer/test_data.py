from typing import Any

import numpy as np
import pytest
from kd_helpers import sample

from kd_trainer.data import Dataset, TrainingBatches, augment, drawn_views, view_count
from kd_trainer.errors import DataError
from kd_trainer.recipe import Recipe


def numbered(count: int) -> Dataset:
    """Images that tell which one they are, in any augmented view."""
    images = (
        np.ones((count, 4, 4, 1), np.uint8) * np.arange(count, dtype=np.uint8)[:, None, None, None]
    )
    return Dataset(images, np.arange(count))


def augmented(images: np.ndarray, recipe: Recipe, rng: np.random.Generator) -> np.ndarray:
    return augment(images, drawn_views(len(images), recipe, rng), recipe)


def views(image: np.ndarray, pad: int, mode: Any, flip: bool) -> dict[bytes, tuple]:
    """Every view that augmentation may give, by its bytes: (top, left, mirrored)."""
    height, width, _ = image.shape
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode=mode)
    found = {}
    for top in range(2 * pad + 1):
        for left in range(2 * pad + 1):
            window = padded[top : top + height, left : left + width]
            for mirrored in (False, True)[: 1 + flip]:
                view = window[:, ::-1] if mirrored else window
                found[np.ascontiguousarray(view).tobytes()] = (top, left, mirrored)
    return found


@pytest.mark.parametrize("mode", ["reflect", "constant"])
@pytest.mark.parametrize("flip", [True, False])
def test_every_output_is_a_view_of_its_image(mode: Any, flip: bool) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(1, 256, (5, 6, 3), dtype=np.uint8)
    recipe = Recipe(crop_padding=2, pad_mode=mode, flip=flip)
    allowed = views(image, 2, mode, flip)
    assert len(allowed) == 25 * (1 + flip)
    batch = augmented(np.stack([image] * 400), recipe, rng)
    assert (batch.shape, batch.dtype) == ((400, 5, 6, 3), np.uint8)
    seen = {allowed[np.ascontiguousarray(view).tobytes()] for view in batch}
    # Each image of a batch is on its own, and every view comes up.
    assert seen == set(allowed.values())


def test_half_of_the_images_are_mirrored_and_the_offsets_are_even() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(1, 256, (4, 4, 3), dtype=np.uint8)
    allowed = views(image, 1, "reflect", True)
    recipe = Recipe(crop_padding=1, pad_mode="reflect", flip=True)
    batch = augmented(np.stack([image] * 3600), recipe, rng)
    counts: dict[tuple, int] = {}
    for view in batch:
        key = allowed[np.ascontiguousarray(view).tobytes()]
        counts[key] = counts.get(key, 0) + 1
    # 18 views of 200 expected each; the standard deviation is 14.
    assert all(120 < count < 280 for count in counts.values())
    assert len(counts) == 18


def test_padding_is_reflected_or_black() -> None:
    image = np.full((1, 4, 4, 3), 200, np.uint8)
    stack = np.repeat(image, 100, axis=0)
    rng = np.random.default_rng(0)
    reflected = augmented(stack, Recipe(crop_padding=2, pad_mode="reflect"), rng)
    black = augmented(stack, Recipe(crop_padding=2, pad_mode="constant"), rng)
    assert set(np.unique(reflected)) == {200}
    assert set(np.unique(black)) == {0, 200}


def test_without_crop_and_flip_the_images_are_as_they_were() -> None:
    images = sample("train", 8).images
    before = images.copy()
    rng = np.random.default_rng(0)
    same = augmented(images, Recipe(crop_padding=0, flip=False), rng)
    np.testing.assert_array_equal(same, before)
    other = augmented(images, Recipe(), rng)
    assert not np.array_equal(other, before)
    np.testing.assert_array_equal(images, before)


def epoch(batches: TrainingBatches) -> list[int]:
    """The labels of an epoch, having checked that the images belong to them."""
    labels = []
    for index in range(len(batches)):
        images, chosen = batches[index]
        assert (images == chosen[:, None, None, None]).all()
        labels += chosen.tolist()
    return labels


def test_an_epoch_visits_an_image_at_most_once_and_leaves_the_partial_batch_out() -> None:
    # A reflected constant is that constant, so that the label is still to be seen.
    recipe = Recipe(batch_size=8, crop_padding=1)
    epochs = []
    for number in range(20):
        batches = TrainingBatches(numbered(30), recipe, seed=0, first_epoch=number)
        assert len(batches) == 3
        epochs.append(epoch(batches))
    assert all(len(visited) == len(set(visited)) == 24 for visited in epochs)
    assert len({tuple(visited) for visited in epochs}) == 20
    assert {label for visited in epochs for label in visited} == set(range(30))


def bytes_of(seed: int, number: int) -> list[bytes]:
    recipe = Recipe(batch_size=16)
    batches = TrainingBatches(sample("train", 40), recipe, seed, first_epoch=number)
    return [batches[index][0].tobytes() for index in range(len(batches))]


def test_the_seed_and_the_epochs_number_give_the_bytes() -> None:
    np.random.seed(1)
    first = bytes_of(seed=1, number=2)
    np.random.seed(2)
    assert bytes_of(seed=1, number=2) == first
    assert not set(bytes_of(seed=2, number=2)) & set(first)
    assert not set(bytes_of(seed=1, number=3)) & set(first)


def test_a_batch_may_be_read_out_of_order() -> None:
    batches = TrainingBatches(sample("train", 40), Recipe(batch_size=16), seed=0)
    second = batches[1][0]
    batches[0]
    np.testing.assert_array_equal(batches[1][0], second)


def test_a_batch_may_be_as_large_as_the_data_and_no_larger() -> None:
    assert len(TrainingBatches(numbered(8), Recipe(batch_size=8), seed=0)) == 1
    with pytest.raises(DataError, match=r"batch of 9 images is larger than .* 8\..*batch_size"):
        TrainingBatches(numbered(8), Recipe(batch_size=9), seed=0)


@pytest.mark.parametrize(("padding", "flip"), [(2, True), (2, False), (0, True), (0, False)])
def test_a_view_has_a_number(padding: int, flip: bool) -> None:
    recipe = Recipe(crop_padding=padding, flip=flip)
    (image,) = sample("train", 1).images
    every = np.arange(view_count(recipe))
    found = augment(np.stack([image] * len(every)), every, recipe)
    expected = views(image, padding, "reflect", flip)
    assert {view.tobytes() for view in found} == set(expected)
    assert len(every) == len(expected)
