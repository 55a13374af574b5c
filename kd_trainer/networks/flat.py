"""Models without models in them."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

Tensor = Any
Operation = Any


class Flat(NamedTuple):
    """The graph of a model, built anew.

    Attributes:
      outputs: the model's outputs.
      calls: what each layer and operation gave, a list with an entry a call, by its path: its
        name, behind those of the models that it lies in, as in `backbone/conv1`.
      makers: by `id` of each tensor, the layer or operation that gave it.
    """

    outputs: list[Tensor]
    calls: dict[str, list[Tensor]]
    makers: dict[int, Operation]


def flatten(model: keras.Model, inputs: Sequence[Tensor]) -> Flat:
    """Builds a model's graph on other inputs, with copies of its layers and their weights.

    Layers of models within it become layers of the graph itself, so that they can be tapped and
    copied as any other; their names hold `_block`, so that none is a tap yet. Frozen layers can be
    trained again, and whether a call trains or infers is left open where the model had fixed it.

    Args:
      model: a functional or sequential model.
      inputs: a symbolic tensor for each of its inputs.
    """
    calls: dict[str, list[Tensor]] = {}
    makers: dict[int, Operation] = {}
    copies: dict[int, Operation] = {}

    def run(graph: keras.Model, inputs: Sequence[Tensor], prefix: str) -> list[Tensor]:
        def call(operation: Operation, *args: Any, **kwargs: Any) -> Any:
            path = prefix + operation.name
            kwargs.pop("training", None)
            if isinstance(operation, keras.Model):
                given = keras.tree.flatten((args, kwargs))
                results = run(operation, given, f"{path}/")
                result = results[0] if len(results) == 1 else results
            else:
                result = _apply(operation, path, copies, args, kwargs)
                maker = copies[id(operation)]
                makers.update((id(tensor), maker) for tensor in keras.tree.flatten(result))
            calls.setdefault(path, []).append(result)
            return result

        # A sequential model has its graph only as a functional one. Keras's `clone_model` gives
        # copies of its output tensors where the inputs are not a model's first.
        functional = keras.Model(graph.inputs, graph.outputs)
        return keras.tree.flatten(functional._run_through_graph(inputs, lambda op: op, call))

    return Flat(run(model, inputs, ""), calls, makers)


def sanitised(name: str) -> str:
    """Returns a name that a TensorFlow scope may have."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", name)


def _apply(
    operation: Operation, path: str, copies: dict[int, Operation], args: Any, kwargs: Any
) -> Any:
    if id(operation) in copies:
        return copies[id(operation)](*args, **kwargs)
    config = operation.get_config()
    if isinstance(operation, keras.Layer):
        config["trainable"] = True
    if "name" in config:
        # The number: layers of different models, whose names may be the same, meet in one now.
        config["name"] = f"user_block{len(copies)}_{sanitised(path)}"
    if isinstance(operation, keras.layers.Normalization):
        # Its statistics are no weights to be trained; here they become part of its definition.
        config |= _statistics(operation)
    copies[id(operation)] = copy = type(operation).from_config(config)
    result = copy(*args, **kwargs)
    if isinstance(operation, keras.Layer) and copy.weights:
        copy.set_weights(operation.get_weights())
    return result


def _statistics(norm: keras.layers.Normalization) -> dict[str, Any]:
    mean, variance = np.array(norm.mean), np.array(norm.variance)
    # From the first axis on that they differ along: not every Keras takes leading ones.
    own = np.trim_zeros(np.array(mean.shape) - 1, "f").size
    shape = mean.shape[mean.ndim - own :]
    return {
        "axis": tuple(range(-own, 0)),
        "mean": mean.reshape(shape).tolist(),
        "variance": variance.reshape(shape).tolist(),
    }
