"""Gradients that `fit` alone does not take, for each backend that trains.

The derivative of a network's outputs by its images, which can be derived again, and a training
step that bounds the gradient of some terms. TensorFlow and JAX differ in nothing else.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import keras
from keras import ops

if TYPE_CHECKING:
    from kd_trainer.distiller import Distiller

Tensor = Any
Taps = dict[str, Tensor]
# The loss of the labels, the terms without a bound and the weight decay, in `Distiller.parts`.
TASK, REST = "task", "rest"


def taps_and_jacobians(
    network: keras.Model,
    images: Tensor,
    training: bool,
    scalars: Mapping[str, Callable[[Taps], Tensor]],
) -> tuple[Taps, Taps]:
    """Runs a network once and derives scalars of its taps by the images.

    In training mode an image's derivative has a part that comes through the batch's statistics.

    Args:
      network: from float images to `{tap: output}`.
      images: `(batch, height, width, channels)`, float.
      training: the mode of the forward pass.
      scalars: functions of the taps, by name; each returns a scalar.

    Returns:
      The taps, and the derivatives by name, each of the images' shape.
    """
    return _BACKENDS[keras.backend.backend()][0](network, images, training, scalars)


def bounded_step(distiller: "Distiller", *arguments: Any) -> Any:
    """A training step in which terms with a bound cannot outweigh the task.

    Args:
      distiller: its stage has `gradient_bounds`.
      *arguments: what `keras.Model.train_step` takes on this backend.

    Returns:
      What `keras.Model.train_step` returns on this backend.
    """
    return _BACKENDS[keras.backend.backend()][1](distiller, *arguments)


def bounded_sum(
    gradients: Mapping[str, list[Tensor | None]], bounds: Mapping[str, Tensor]
) -> list[Tensor]:
    """Adds up each variable's gradients, those with a bound scaled down to it.

    Lee et al., "Self-supervised Knowledge Distillation Using Singular Value Decomposition", 2018,
    section 3.4.

    Args:
      gradients: of the task, of the rest and of each term with a bound, a list over the
        variables; None where a variable is not reached.
      bounds: by term, as a share of the norm of the task's gradient.

    Returns:
      A list over the variables.
    """
    sums = []
    for number, task in enumerate(gradients[TASK]):
        parts = [task, gradients[REST][number]]
        for term, bound in bounds.items():
            gradient = gradients[term][number]
            if gradient is not None:
                most = bound * _norm(task) if task is not None else 0.0
                norm = _norm(gradient)
                parts.append(gradient * ops.where(norm > most, most / ops.maximum(norm, 1e-30), 1))
        sums.append(sum(part for part in parts if part is not None))
    return sums


def _norm(gradient: Tensor) -> Tensor:
    return ops.sqrt(ops.sum(ops.square(gradient)))


def _tensorflow_jacobians(
    network: keras.Model,
    images: Tensor,
    training: bool,
    scalars: Mapping[str, Callable[[Taps], Tensor]],
) -> tuple[Taps, Taps]:
    import tensorflow as tf

    with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
        tape.watch(images)
        taps = network(images, training=training)
        values = {name: scalar(taps) for name, scalar in scalars.items()}
    return taps, {name: tape.gradient(value, images) for name, value in values.items()}


def _jax_jacobians(
    network: keras.Model,
    images: Tensor,
    training: bool,
    scalars: Mapping[str, Callable[[Taps], Tensor]],
) -> tuple[Taps, Taps]:
    import jax

    moving = network.non_trainable_variables

    def forward(images: Tensor) -> tuple[Taps, tuple[Taps, list[Tensor]]]:
        # A scope of its own: what is assigned inside a derivation must leave it as an output.
        taps, moved = network.stateless_call(
            [variable.value for variable in network.trainable_variables],
            [variable.value for variable in moving],
            images,
            training=training,
        )
        return {name: scalar(taps) for name, scalar in scalars.items()}, (taps, moved)

    values, derive, (taps, moved) = jax.vjp(forward, images, has_aux=True)
    for variable, value in zip(moving, moved, strict=True):
        variable.assign(value)
    return taps, {
        name: derive({other: ops.cast(other == name, value.dtype) for other in values})[0]
        for name, value in values.items()
    }


def _tensorflow_step(distiller: "Distiller", data: Any) -> dict[str, Tensor]:
    import tensorflow as tf

    images, labels = data[:2]
    with tf.GradientTape(persistent=True) as tape:
        outputs = distiller(images, training=True)
        parts = distiller.parts(labels, outputs)
    variables = distiller.trainable_variables
    gradients = {name: tape.gradient(part, variables) for name, part in parts.items()}
    total = bounded_sum(gradients, distiller.gradient_bounds)
    distiller.optimizer.apply_gradients(zip(total, variables, strict=True))
    distiller.track_loss(sum(parts.values()), images)
    return distiller.compute_metrics(images, labels, outputs)


def _jax_step(distiller: "Distiller", state: Any, data: Any) -> tuple[dict[str, Tensor], Any]:
    import jax

    images, labels = data[:2]
    trainable, non_trainable, optimizer_variables, metrics = state

    def measure(trainable: list[Tensor]) -> tuple[dict[str, Tensor], Any]:
        values = [*trainable, *non_trainable, *metrics]
        variables = [
            *distiller.trainable_variables,
            *distiller.non_trainable_variables,
            *distiller.metrics_variables,
        ]
        mapping = list(zip(variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping) as scope:
            outputs = distiller(images, training=True)
            parts = distiller.parts(labels, outputs)
            distiller.track_loss(sum(parts.values()), images)
            logs = distiller.compute_metrics(images, labels, outputs)
            bounds = {name: bound.value for name, bound in distiller.gradient_bounds.items()}
        after = [scope.get_current_value(variable) for variable in variables[len(trainable) :]]
        moved, measured = after[: len(non_trainable)], after[len(non_trainable) :]
        return parts, (moved, measured, logs, bounds)

    parts, (moved, measured, logs, bounds) = measure(trainable)
    # A derivation for each part, none of what the others need; XLA runs the forward pass once.
    gradients = {
        name: jax.grad(lambda values, name=name: measure(values)[0][name])(trainable)
        for name in parts
    }
    total = bounded_sum(gradients, bounds)
    trainable, optimizer_variables = distiller.optimizer.stateless_apply(
        optimizer_variables, total, trainable
    )
    return logs, (trainable, moved, optimizer_variables, measured)


_BACKENDS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "tensorflow": (_tensorflow_jacobians, _tensorflow_step),
    "jax": (_jax_jacobians, _jax_step),
}
