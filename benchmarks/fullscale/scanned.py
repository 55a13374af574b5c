"""Epochs on JAX whose data stay on the device, with many steps a dispatch.

The step is `Distiller.train_step`, the order and the views are `TrainingBatches`': an epoch is
what `fit` makes of it, to rounding. The host draws which image is seen in which view, some hundred
kilobytes an epoch, so that augmentation has no random state of its own; the device pads, crops and
mirrors, within the step.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import keras
import numpy as np
from jax import numpy as jnp

from kd_trainer.data import Dataset, TrainingBatches
from kd_trainer.distiller import Distiller
from kd_trainer.recipe import Recipe
from kd_trainer.training import EVAL_BATCH

Array = Any


def scanned(
    distiller: Distiller,
    batches: TrainingBatches,
    eval_set: Dataset | None,
    recipe: Recipe,
    first_epoch: int,
    epochs: int,
    watchers: Sequence[keras.callbacks.Callback],
    dispatched: int | None = None,
) -> None:
    """Runs epochs of a stage, as `kd_trainer.training.by_keras` does and with its arguments.

    Watchers are told of an epoch's steps when it has ended, each with what was measured up to it.

    Args:
      distiller: as `by_keras` takes it, and so what follows.
      batches: what is trained on.
      eval_set: what the epochs are measured on.
      recipe: the optimisation.
      first_epoch: the number of the first epoch.
      epochs: the number after the last one's.
      watchers: are called.
      dispatched: steps a dispatch; None for a whole epoch, on the CPU for one: XLA's convolutions
        are several times slower in a loop there.
    """
    if dispatched is None:
        dispatched = 1 if jax.default_backend() == "cpu" else len(batches)
    dataset = batches.dataset
    padded = jax.jit(_padded, static_argnums=1)(jnp.asarray(dataset.images), recipe)
    labels = jnp.asarray(dataset.labels.astype("int32"))
    train = _steps(distiller, recipe, dataset.images.shape[1:])
    measure = jax.jit(distiller.test_step)
    held_out = [tuple(jnp.asarray(part) for part in batch) for batch in _parts(eval_set)]
    watching = keras.callbacks.CallbackList(
        list(watchers), model=distiller, epochs=epochs, steps=len(batches)
    )
    logs: dict[str, float] = {}
    watching.on_train_begin()
    for epoch in range(first_epoch, epochs):
        batches.on_epoch_begin()
        distiller.reset_metrics()
        watching.on_epoch_begin(epoch)
        state, measured = _state(distiller, _TRAINED), []
        chosen, views = _drawn(batches)
        for start in range(0, len(batches), dispatched):
            part = slice(start, start + dispatched)
            state, found = train(state, padded, labels, chosen[part], views[part])
            measured.append(found)
        _assign(distiller, _TRAINED, state)
        for number, logs in enumerate(_by_step(measured)):
            watching.on_train_batch_end(number, logs)
        if held_out:
            distiller.reset_metrics()
            state = _state(distiller, _MEASURED)
            for batch in held_out:
                found, state = measure(state, batch)
            logs |= {f"val_{name}": float(value) for name, value in found.items()}
        watching.on_epoch_end(epoch, logs)
    watching.on_train_end(logs)


def _steps(distiller: Distiller, recipe: Recipe, shape: tuple[int, ...]) -> Any:
    """Returns a compiled function that runs steps and returns what each of them measured."""
    indexed = distiller.stage.reads_indices

    def steps(state: Any, padded: Array, labels: Array, chosen: Array, views: Array) -> Any:
        def step(state: Any, drawn: tuple[Array, Array]) -> tuple[Any, dict[str, Array]]:
            numbers, views = drawn
            images = _augmented(padded, numbers, views, recipe, shape)
            targets: Any = labels[numbers]
            if indexed:
                targets = {"label": targets, "index": numbers}
            logs, state = distiller.train_step(state, (images, targets))
            return tuple(map(list, state)), logs

        return jax.lax.scan(step, state, (chosen, views))

    return jax.jit(steps)


def _by_step(measured: list[dict[str, Array]]) -> Iterator[dict[str, float]]:
    """Yields what each step measured, of dispatches that each have an array over their steps."""
    for dispatch in jax.device_get(measured):
        for step in zip(*dispatch.values(), strict=True):
            yield dict(zip(dispatch, map(float, step), strict=True))


def _padded(images: Array, recipe: Recipe) -> Array:
    pad = recipe.crop_padding
    return jnp.pad(images, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode=recipe.pad_mode)


def _augmented(
    padded: Array, numbers: Array, views: Array, recipe: Recipe, shape: tuple[int, ...]
) -> Array:
    """Does what `kd_trainer.data.augment` does, to images of the padded ones."""
    places, mirrored = jnp.divmod(views, 2) if recipe.flip else (views, jnp.zeros_like(views))
    top, left = jnp.divmod(places, 2 * recipe.crop_padding + 1)

    def crop(number: Array, top: Array, left: Array) -> Array:
        return jax.lax.dynamic_slice(padded, (number, top, left, 0), (1, *shape))[0]

    cropped = jax.vmap(crop)(numbers, top, left)
    return jnp.where(mirrored[:, None, None, None] == 1, cropped[:, :, ::-1], cropped)


def _drawn(batches: TrainingBatches) -> tuple[Array, Array]:
    """Returns the images and the views of an epoch's batches, `(steps, batch)` each."""
    drawn = [batches.drawn(index) for index in range(len(batches))]
    chosen, views = (np.stack(rows).astype("int32") for rows in zip(*drawn, strict=True))
    return jnp.asarray(chosen), jnp.asarray(views)


def _parts(dataset: Dataset | None) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    if dataset is not None:
        for start in range(0, len(dataset), EVAL_BATCH):
            part = slice(start, start + EVAL_BATCH)
            yield dataset.images[part], dataset.labels[part].astype("int32")


# What `keras.Model.train_step` and `test_step` take as their state on JAX, in their order.
_MEASURED = ("trainable_variables", "non_trainable_variables", "metrics_variables")
_TRAINED = (*_MEASURED[:2], "optimizer.variables", "metrics_variables")


def _groups(distiller: Distiller, names: Sequence[str]) -> Iterator[list[keras.Variable]]:
    for name in names:
        owner = distiller.optimizer if name.startswith("optimizer.") else distiller
        yield getattr(owner, name.removeprefix("optimizer."))


def _state(distiller: Distiller, names: Sequence[str]) -> tuple[list[Array], ...]:
    groups = _groups(distiller, names)
    return tuple([variable.value for variable in group] for group in groups)


def _assign(distiller: Distiller, names: Sequence[str], state: Sequence[Sequence[Array]]) -> None:
    for group, values in zip(_groups(distiller, names), state, strict=True):
        for variable, value in zip(group, values, strict=True):
            variable.assign(value)
