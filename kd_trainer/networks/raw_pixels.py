"""Whether a user's network takes raw pixels, as training and serving give them.

Nothing in a file says what was done to the pixels before they went into the model. What is
measured says it: a network that learned from scaled pixels answers those far better.
"""

from typing import NamedTuple

import keras
import numpy as np

from kd_trainer.errors import ConfigError
from kd_trainer.networks.taps import differentiable

IMAGES = 500
_BATCH = 125
# A newly initialised network guesses: its loss is near the logarithm of the number of classes.
_FAR_ABOVE_GUESSING, _NEAR_GUESSING = 2.0, 1.5


class Measured(NamedTuple):
    """What a network does on some images.

    Attributes:
      top1: the share of images that it is right on.
      loss: its cross-entropy with the labels.
    """

    top1: float
    loss: float


def check_trained(network: keras.Model, images: np.ndarray, labels: np.ndarray) -> None:
    """Checks that a trained network knows the classes, from raw pixels.

    Args:
      network: from uint8 images to logits.
      images: uint8 `(n, height, width, channels)`, of the data that it is to be used on.
      labels: class numbers `(n,)`.

    Raises:
      ConfigError: it gives probabilities or what is not finite, answers scaled pixels better than
        raw ones, or is hardly better than one who always gives the most frequent class.
    """
    _check_logits(network, images)
    raw, scaled = _measure(network, images, labels)
    name = min(scaled, key=lambda name: scaled[name].loss)
    best = scaled[name]
    share = np.bincount(labels).max() / len(labels)
    # Three standard deviations of what is counted when guessing.
    needed = share + 3 * np.sqrt(share * (1 - share) / len(labels))
    # Without biases a network is as often right at any scale; its loss tells the right one.
    if best.loss < raw.loss and best.top1 >= max(needed, 0.9 * raw.top1):
        raise ConfigError(
            f"The model is right on {raw.top1:.1%} of {len(labels)} training images (loss "
            f"{raw.loss:.2f}) from raw pixels, 0..255, but on {best.top1:.1%} (loss "
            f"{best.loss:.2f}) after {name}. {_mend(name)}"
        )
    if raw.top1 < needed:
        raise ConfigError(
            f"The model is right on {raw.top1:.1%} of {len(labels)} training images, expected more "
            f"than {needed:.1%}: always giving the most frequent class is right on {share:.1%}. "
            "It is given raw pixels, 0..255, RGB, and its logits must be in the order of the "
            "labels. Put what is done to the pixels into the model, as its first layers, and "
            "save it again."
        )


def check_untrained(network: keras.Model, images: np.ndarray, labels: np.ndarray) -> None:
    """Checks that a newly initialised network can start to learn, from raw pixels.

    Args:
      network: from uint8 images to logits; it is called in training mode, but left as it is.
      images: as for `check_trained`.
      labels: as for `check_trained`.

    Raises:
      ConfigError: it gives probabilities or what is not finite, or its first loss is far above
        that of guessing and would not be if the pixels were scaled.
    """
    _check_logits(network, images)
    raw, scaled = _measure(network, images, labels, training=True)
    guessing = np.log(network.output_shape[-1])
    name = min(scaled, key=lambda name: scaled[name].loss)
    if raw.loss > _FAR_ABOVE_GUESSING * guessing and scaled[name].loss < _NEAR_GUESSING * guessing:
        raise ConfigError(
            f"The model's loss before training is {raw.loss:.1f} from raw pixels, 0..255, but "
            f"{scaled[name].loss:.1f} after {name}; guessing has {guessing:.1f}. {_mend(name)}"
        )


def _mend(layer: str) -> str:
    return (
        f"Pixels are given as they are: make what was done to them, such as {layer}, the model's "
        "first layer and save it again."
    )


def _check_logits(network: keras.Model, images: np.ndarray) -> None:
    outputs = network.predict(images, batch_size=_BATCH, verbose=0)
    finite = np.isfinite(outputs).all(axis=1)
    if not finite.all():
        raise ConfigError(
            f"The model's logits are not finite on {1 - finite.mean():.0%} of {len(images)} "
            "training images. Its training has diverged, or the file is damaged: take another "
            "state of it."
        )
    if outputs.min() >= 0 and outputs.max() <= 1:
        raise ConfigError(
            f"All outputs of the model lie between {outputs.min():.3g} and {outputs.max():.3g}: "
            "they are probabilities, expected logits. Leave the last activation out and save the "
            "model again (a softmax at the end is left out by itself), or name the layer that "
            "gives the logits with taps.logits."
        )


def _measure(
    network: keras.Model, images: np.ndarray, labels: np.ndarray, training: bool = False
) -> tuple[Measured, dict[str, Measured]]:
    """Measures a network on raw pixels, and on pixels after layers that are often used."""
    mean, variance = (np.round(f(images / 1.0, axis=(0, 1, 2))) for f in (np.mean, np.var))
    layers = {
        "keras.layers.Rescaling(1 / 255)": keras.layers.Rescaling(1 / 255),
        "keras.layers.Rescaling(1 / 127.5, offset=-1)": keras.layers.Rescaling(1 / 127.5, -1),
        f"keras.layers.Normalization(mean={mean.tolist()}, variance={variance.tolist()})": (
            keras.layers.Normalization(mean=mean, variance=variance)
        ),
    }
    on_floats = differentiable(network)

    def measured(pixels: np.ndarray) -> Measured:
        # Within the scope no variable is changed.
        with keras.StatelessScope():
            batches = [
                np.array(on_floats(pixels[start : start + _BATCH], training=training))
                for start in range(0, len(pixels), _BATCH)
            ]
        logits = np.concatenate(batches).astype("float64")
        shifted = logits - logits.max(axis=1, keepdims=True)
        log_likelihood = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return Measured(
            float(np.mean(logits.argmax(axis=1) == labels)),
            float(-log_likelihood[np.arange(len(labels)), labels].mean()),
        )

    raw = images.astype("float32")
    return measured(raw), {name: measured(np.array(layer(raw))) for name, layer in layers.items()}
