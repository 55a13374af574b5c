"""Networks of the user's own, from `.keras` files.

What a user saved has layer names, an input type and often a softmax of its own. `load` makes it a
network like those that are built by name: a flat functional model from raw uint8 images to
float32 logits, where a tap is the output of the layer of its name.
"""

import difflib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from kd_trainer.errors import ConfigError
from kd_trainer.networks.flat import Flat, flatten, sanitised
from kd_trainer.networks.keras_file import open_safely
from kd_trainer.networks.taps import tap_shapes

Tensor = Any
Shape = tuple[int | None, ...]
# A layer with such a name is a tap without being named one.
_OWN_TAP = re.compile(r"(stem|stage\d+)(_(?!block)[a-z]+)?|pooled")
_LISTED = 40
_LARGEST = 1 << 24
"""Values that a layer may give for an image: 64 MiB of float32."""


@dataclass(frozen=True)
class UserNetwork:
    """A user's network as the library works with it.

    Attributes:
      network: from uint8 images `(batch, *image_shape)` to float32 logits `(batch, classes)`.
      layers: the layers that can be taps, in their order, with the shapes of their outputs
        without the batch. A layer of a model within the model is `model/layer`.
    """

    network: keras.Model
    layers: dict[str, Shape]


def listing(layers: Mapping[str, Shape], near: str) -> str:
    """Returns layers and their shapes, a line each, those with names most like `near` first."""
    first = difflib.get_close_matches(near, layers, n=5, cutoff=0.5)
    paths = [*first, *(path for path in layers if path not in first)]
    lines = [f"  {path}  {layers[path]}" for path in paths[:_LISTED]]
    more = [f"  and {len(paths) - _LISTED} more"] if len(paths) > _LISTED else []
    return "\n".join([*lines, *more])


def load(file: Path, taps: Mapping[str, str], image_shape: tuple[int, ...]) -> UserNetwork:
    """Loads a `.keras` file, and runs no code that it brings along or names.

    Its configuration is held against the list in `kd_trainer.networks.allowed` first. A softmax at
    the end is left out: what goes into it are the logits. Models within the model are dissolved
    and nothing is frozen, see `flatten`.

    Args:
      file: a functional or sequential model with one image input. It takes raw pixels, 0..255.
      taps: by tap, the layer whose output it is. `stem`, `stage1` and so on, `pooled` need not
        be given where layers have these names, `logits` where it is the model's output.
      image_shape: of the data's images, without the batch.

    Raises:
      ConfigError: no such file, no `.keras` file, a model that is not safe to load or has no
        graph, an input or output that does not fit, or a layer in `taps` that it does not have.
    """
    model = open_safely(file)
    images = keras.Input(image_shape, dtype="uint8", name="images")
    flat = flatten(model, [_as_input_of(model, images)])
    _check_outputs(flat)
    offered = {
        path: results[0]
        for path, results in flat.calls.items()
        if len(results) == 1 and keras.backend.is_keras_tensor(results[0])
    }
    layers = {path: tuple(tensor.shape[1:]) for path, tensor in offered.items()}
    for tap, path in taps.items():
        _check_offered(layers, flat, tap, path)
    own = {path: path for path in offered if _OWN_TAP.fullmatch(path)}
    tensors = {tap: offered[path] for tap, path in {**own, **taps}.items()}
    tensors["logits"] = _logits(flat, tensors.get("logits", flat.outputs[0]))
    if len(tensors["logits"].shape) != 2:
        raise ConfigError(
            f"The model gives {tuple(tensors['logits'].shape[1:])} for an image, expected a row of "
            "logits, one for each class. End it with a Dense layer of as many units as classes, or "
            "name the layer that gives the logits with taps.logits."
        )
    network = _named(images, tensors, flat, file.stem)
    for tap in taps:
        if tap not in tap_shapes(network):
            raise ConfigError(
                f"taps.{tap}: the layer {taps[tap]!r} does not lead to the logits. "
                "Name one that does."
            )
    return UserNetwork(network, layers)


def initialised(name: str, num_classes: int) -> keras.Model:
    """Builds the architecture of a file with new weights, drawn by the random state of Keras.

    Args:
      name: the path of a `.keras` file that holds a network of `load`.
      num_classes: the number of logits.

    Raises:
      ConfigError: the network has another number of logits.
    """
    architecture = keras.saving.load_model(name, compile=False, safe_mode=True)
    check_classes(architecture, num_classes)
    return anew(architecture)


def anew(network: keras.Model) -> keras.Model:
    """Returns a network of the same architecture with new weights."""
    return keras.models.clone_model(network)


def check_classes(network: keras.Model, num_classes: int) -> None:
    """Holds a network against the number of classes in the data.

    Raises:
      ConfigError: it has another number of logits.
    """
    (found,) = tap_shapes(network)["logits"]
    if found != num_classes:
        raise ConfigError(
            f"The model has {found} classes, the data has {num_classes}. Give one that was made "
            "for these classes."
        )


def _as_input_of(model: keras.Model, images: Tensor) -> Tensor:
    """Holds the model's input against the images and returns them as the type that it takes."""
    if len(model.inputs) != 1:
        raise ConfigError(f"The model has {len(model.inputs)} inputs, expected one, the images.")
    [expected] = model.inputs
    shape, wanted = tuple(expected.shape[1:]), tuple(images.shape[1:])
    fits = [size in (None, found) for size, found in zip(shape, wanted, strict=False)]
    if len(shape) != len(wanted) or not all(fits):
        raise ConfigError(
            f"The model takes images of the shape {shape}, the data's have {wanted}. Give a model "
            "for such images, or put a layer that makes them fit, such as keras.layers.Resizing, "
            "first in it."
        )
    dtype = keras.backend.standardize_dtype(expected.dtype)
    if dtype == "uint8":
        return images
    if "float" not in dtype:
        raise ConfigError(
            f"The model takes {dtype}, expected raw pixels as uint8 or as a float type, 0..255."
        )
    return keras.layers.Rescaling(1.0, dtype=dtype, name="user_block_cast")(images)


def _check_outputs(flat: Flat) -> None:
    """Refuses what would fill the memory with the first images: layers need no weights for it."""
    for path, results in flat.calls.items():
        for tensor in filter(keras.backend.is_keras_tensor, keras.tree.flatten(results)):
            values = math.prod(size or 1 for size in tensor.shape)
            if values > _LARGEST:
                raise ConfigError(
                    f"The layer {path!r} gives {tuple(tensor.shape[1:])}, {values:,} values, for "
                    f"an image, expected {_LARGEST:,} at most. Give a model that needs less memory."
                )


def _check_offered(layers: Mapping[str, Shape], flat: Flat, tap: str, path: str) -> None:
    if path in layers:
        return
    if path in flat.calls:
        raise ConfigError(
            f"taps.{tap}: the layer {path!r} is called {len(flat.calls[path])} times or gives "
            "several outputs; a tap is one output. Name a layer that is called once."
        )
    raise ConfigError(
        f"taps.{tap}: the model has no layer named {path!r}. Its layers and the shapes of their "
        f"outputs, the nearest names first:\n{listing(layers, path)}"
    )


def _logits(flat: Flat, tensor: Tensor) -> Tensor:
    """Returns what goes into the softmax, where the tensor comes out of one."""
    maker = flat.makers.get(id(tensor))  # none for the images themselves
    return _logits(flat, maker.input) if maker and _is_softmax(maker) else tensor


def _is_softmax(operation: Any) -> bool:
    if isinstance(operation, keras.layers.Activation):
        return operation.activation is keras.activations.softmax
    # Keras exports the layer, but not the class of the operation.
    return type(operation).__name__ == "Softmax"


def _named(images: Tensor, tensors: Mapping[str, Tensor], flat: Flat, name: str) -> keras.Model:
    """Copies a graph such that each tap is the output of a layer of its name."""
    taps: dict[str, list[str]] = {}
    # The logits first: a classifier's own layer is found by that name.
    for tap, tensor in sorted(tensors.items(), key=lambda item: item[0] != "logits"):
        taps.setdefault(flat.makers[id(tensor)].name, []).append(tap)
    copies: dict[str, Any] = {}
    added: dict[str, list[str]] = {}

    def copy(operation: Any) -> Any:
        config = operation.get_config()
        own = taps.get(operation.name, [])
        # `get_layer` finds layers alone: a tap of another operation, or a second tap, is the
        # output of a layer that does nothing.
        renamed = own[:1] if isinstance(operation, keras.Layer) else []
        if renamed:
            config["name"] = renamed[0]
        if renamed == ["logits"]:
            config["dtype"] = "float32"
            if getattr(operation, "activation", None) is keras.activations.softmax:
                config["activation"] = "linear"
        copies[operation.name] = made = type(operation).from_config(config)
        added[made.name] = own[len(renamed) :]
        return made

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        result = operation(*args, **kwargs)
        for tap in added[operation.name]:
            dtype = "float32" if tap == "logits" else result.dtype
            result = keras.layers.Identity(name=tap, dtype=dtype)(result)
        return result

    graph = keras.Model(images, tensors["logits"])
    clone = keras.models.clone_model(graph, clone_function=copy, call_function=call)
    # Layer by layer: an added one may change the order of the others in the model.
    for layer in graph.layers:
        if layer.weights:
            copies[layer.name].set_weights(layer.get_weights())
    return keras.Model(clone.inputs[0], clone.outputs[0], name=sanitised(name))
