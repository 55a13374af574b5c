"""Batches as each replica of a distribution gets them."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import keras

from kd_trainer import distribution
from kd_trainer.data import Dataset, TrainingBatches
from kd_trainer.errors import ConfigError
from kd_trainer.recipe import Distribution

Batch = Any


def fit_data(
    kind: Distribution,
    batches: TrainingBatches,
    eval_set: Dataset | None,
    eval_batch: int,
) -> dict[str, Any]:
    """Returns what `keras.Model.fit` is given as its data.

    A replica trains on its share of each batch, in the replicas' order: together they see the
    images, order and augmentation that one device sees. Each measures the whole eval split, so that
    no share is empty and what is measured is what one device measures.

    Args:
      kind: how the training is distributed; called in its scope.
      batches: what is trained on.
      eval_set: what the epochs are measured on, or None.
      eval_batch: images a step of measuring.

    Raises:
      ConfigError: the batch cannot be divided among the replicas.
    """
    if kind == "none":
        validation = (eval_set.images, eval_set.labels) if eval_set else None
        # Not shuffled by Keras: the batches' order is theirs.
        return {
            "x": batches,
            "shuffle": False,
            "validation_data": validation,
            "validation_batch_size": eval_batch,
        }
    replicas = distribution.replicas()
    if batches.batch_size % replicas:
        raise ConfigError(
            f"recipe.batch_size is {batches.batch_size}, which {replicas} replicas cannot share "
            f"equally. Choose a multiple of {replicas}."
        )
    size = batches.batch_size // replicas

    def trained_on() -> Iterator[Batch]:
        while True:
            batches.on_epoch_begin()
            for index in range(len(batches)):
                yield batches[index]

    def share(batch: Batch, replica: int) -> Batch:
        part = slice(replica * size, (replica + 1) * size)
        return keras.tree.map_structure(lambda array: array[part], batch)

    data = {"x": _distributed(trained_on, share, batches[0]), "steps_per_epoch": len(batches)}
    if eval_set is None:
        return data
    steps = math.ceil(len(eval_set) / eval_batch)

    def measured_on() -> Iterator[Batch]:
        while True:
            for step in range(steps):
                part = slice(step * eval_batch, (step + 1) * eval_batch)
                yield eval_set.images[part], eval_set.labels[part]

    example = eval_set.images, eval_set.labels
    validation = _distributed(measured_on, lambda batch, replica: batch, example)
    return {**data, "validation_data": validation, "validation_steps": steps}


def _distributed(
    batches: Callable[[], Iterator[Batch]], share: Callable[[Batch, int], Batch], example: Batch
) -> Any:
    """Returns a dataset that gives each replica its share of each batch.

    Args:
      batches: starts them; without an end, for Keras may ask for an epoch's first batch before it
        says that the epoch begins.
      share: of a batch and a replica's number, what the replica gets.
      example: a batch, for the types and shapes.
    """
    import tensorflow as tf

    def spec(array: Any) -> tf.TensorSpec:
        return tf.TensorSpec((None, *array.shape[1:]), array.dtype)

    signature = keras.tree.map_structure(spec, example)

    def of_process(context: tf.distribute.InputContext) -> tf.data.Dataset:
        count = context.num_replicas_in_sync // context.num_input_pipelines
        first = context.input_pipeline_id * count

        def shares() -> Iterator[Batch]:
            for batch in batches():
                yield from (share(batch, replica) for replica in range(first, first + count))

        return tf.data.Dataset.from_generator(shares, output_signature=signature).prefetch(count)

    return tf.distribute.get_strategy().distribute_datasets_from_function(of_process)
