"""Networks by name.

A network is a functional `keras.Model` from raw uint8 images `(batch, 32, 32, 3)` to logits; the
normalisation is its first layer, so training and serving cannot differ.
"""

import importlib
from typing import TYPE_CHECKING, Any

from kd_trainer.errors import ConfigError, nearest

if TYPE_CHECKING:
    import keras

_WIDE_RESNET = "kd_trainer.networks.wide_resnet:wide_resnet"
_VGG = "kd_trainer.networks.vgg:vgg"
_MOBILENET = "kd_trainer.networks.mobilenet:mobilenet_v2"

_NARROW = {"stem_width": 16, "stage_widths": (16, 32, 64)}
_WIDE = {"stem_width": 32, "stage_widths": (64, 128, 256)}

# A builder and its arguments; builders are imported when asked for: they need Keras, this does not.
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    **{
        f"resnet{depth}{suffix}": ("kd_trainer.networks.resnet:resnet", {"depth": depth, **widths})
        for suffix, depths, widths in [("", (8, 20, 32, 56, 110), _NARROW), ("x4", (8, 32), _WIDE)]
        for depth in depths
    },
    "wrn_16_2": (_WIDE_RESNET, {"depth": 16, "widening": 2}),
    "wrn_16_4": (_WIDE_RESNET, {"depth": 16, "widening": 4}),
    "wrn_40_1": (_WIDE_RESNET, {"depth": 40, "widening": 1}),
    "wrn_40_2": (_WIDE_RESNET, {"depth": 40, "widening": 2}),
    "wrn_40_4": (_WIDE_RESNET, {"depth": 40, "widening": 4}),
    "vgg8": (_VGG, {"convolutions": 1}),
    "vgg13": (_VGG, {"convolutions": 2}),
    "mobilenet_v2": (_MOBILENET, {"width_multiplier": 0.5}),
}


def build(name: str, num_classes: int) -> "keras.Model":
    """Builds a network with newly drawn weights.

    Args:
      name: a key of `NETWORKS`, or the path of a `.keras` file that holds a network of
        `kd_trainer.networks.user.load`, whose architecture is taken.
      num_classes: the number of logits.

    Raises:
      ConfigError: no network has that name, or the file's has another number of logits.
    """
    builder, arguments = _row(name)
    module, function = builder.split(":")
    return getattr(importlib.import_module(module), function)(
        num_classes=num_classes, name=name, **arguments
    )


def module(name: str) -> str:
    """Returns the module that builds a network; the name is as `build` takes it."""
    return _row(name)[0].split(":")[0]


def _row(name: str) -> tuple[str, dict[str, Any]]:
    if name.endswith(".keras"):
        return "kd_trainer.networks.user:initialised", {}
    return NETWORKS[check_name(name)]


def check_name(name: str) -> str:
    """Returns the name if a network has it, else raises a `ConfigError` with the nearest ones."""
    if name not in NETWORKS:
        raise ConfigError(f"There is no network named {name!r}. {nearest(name, list(NETWORKS))}")
    return name
