"""Training on several accelerators, by TensorFlow's distribution strategies.

Each replica computes the same step on its share of every batch, and the gradients are added up: the
losses are those of one device with the whole batch, to rounding.

  `mirrored`: the GPUs of this process, or its logical CPU devices where there is none.
  `multi_worker`: the processes of the environment variable TF_CONFIG, a replica for each of their
    GPUs. Each of them trains the same and returns the same; the chief alone writes. They must
    see the same files: a training that goes on reads the chief's checkpoint.
"""

import json
import os
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import keras

from kd_trainer.errors import ConfigError
from kd_trainer.methods.base import Method
from kd_trainer.recipe import Distribution


def scope(distribution: Distribution) -> AbstractContextManager[Any]:
    """Returns the context in which what is trained must be made, and trained.

    Raises:
      ConfigError: the backend is not TensorFlow, there are no devices or processes to distribute
        to, or TensorFlow has computed in this process before it could join the others.
    """
    return nullcontext() if distribution == "none" else _strategy(distribution).scope()


def join(distribution: Distribution) -> None:
    """Has the processes of `multi_worker` wait for each other; otherwise it does nothing.

    TensorFlow wants it before anything is computed, so before a teacher is loaded.

    Raises:
      ConfigError: as `scope`.
    """
    if distribution == "multi_worker":
        _strategy(distribution)


def check(distribution: Distribution, method: Method) -> None:
    """Holds a method against the distribution.

    Raises:
      ConfigError: the method needs the whole batch, of which a replica has a share.
    """
    if distribution != "none" and (reasons := method.whole_batch()):
        raise ConfigError(
            f"recipe.distribution is {distribution!r}, where each replica sees a share of the "
            f"batch, but {'; '.join(reasons)}. Set recipe.distribution=none, or choose another "
            "method."
        )


def replicas() -> int:
    """Returns how many replicas share a batch in the present scope, or in the present step."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    return tf.distribute.get_strategy().num_replicas_in_sync


def reported(value: Any) -> Any:
    """Returns what a replica measured, a scalar, as Keras can take the mean of all replicas'.

    Those of several processes it averages along the first axis, which a scalar lacks.
    """
    if keras.backend.backend() != "tensorflow":
        return value
    import tensorflow as tf

    several = isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy)
    return value[None] if several else value


def is_chief(distribution: Distribution) -> bool:
    """Returns whether this process is the one that writes."""
    if distribution != "multi_worker":
        return True
    resolver = _strategy(distribution).cluster_resolver
    chief = "chief" if "chief" in resolver.cluster_spec().jobs else "worker"
    return (resolver.task_type, resolver.task_id) == (chief, 0)


def synchronise(model: keras.Model) -> None:
    """Makes the BatchNormalization of all layers see the whole batch, not a replica's share."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.synchronized = True


@cache
def _strategy(distribution: str) -> Any:
    if keras.backend.backend() != "tensorflow":
        raise ConfigError(
            f"recipe.distribution is {distribution!r}, which is TensorFlow's; Keras runs on "
            f"{keras.backend.backend()!r} here. Set recipe.distribution=none or "
            "KERAS_BACKEND=tensorflow."
        )
    return _STRATEGIES[distribution]()


def _mirrored() -> Any:
    import tensorflow as tf

    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    names = [device.name for device in devices]
    if len(names) < 2:
        raise ConfigError(
            f"recipe.distribution is 'mirrored', and the one device found is {names[0]}. Expected "
            "two GPUs or more. Set recipe.distribution=none."
        )
    return tf.distribute.MirroredStrategy(names)


def _multi_worker() -> Any:
    import tensorflow as tf

    given = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(given)
        processes = [*config["cluster"].get("chief", []), *config["cluster"]["worker"]]
        config["task"]["type"], config["task"]["index"]
    except (ValueError, KeyError, TypeError, AttributeError):
        processes = []
    if len(processes) < 2:
        raise ConfigError(
            "recipe.distribution is 'multi_worker'; found TF_CONFIG "
            f"{given!r}, expected two processes or more and which of them this is, such as "
            '{"cluster": {"worker": ["a:2222", "b:2222"]}, "task": {"type": "worker", "index": 0}}.'
            " Start each process with its own, or set recipe.distribution=none."
        )
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise ConfigError(
            f"recipe.distribution is 'multi_worker', and TensorFlow says: {error}. "
            "Call kd_trainer.distribution.join before all else."
        ) from error


_STRATEGIES = {"mirrored": _mirrored, "multi_worker": _multi_worker}
