"""The teacher as the distiller uses it."""

from collections.abc import Iterable

import keras

from kd_trainer.copies import Config, copied
from kd_trainer.folded import folded
from kd_trainer.networks.taps import tapped


def frozen(teacher: keras.Model) -> keras.Model:
    """Returns a copy of a teacher that no training changes; the teacher itself is left alone.

    None of its variables is trained, and its BatchNormalization keeps its moving statistics also
    in training mode, where it normalises by the batch's own.

    Args:
      teacher: a functional model.
    """

    def keep_statistics(layer: keras.Layer, config: Config) -> None:
        if isinstance(layer, keras.layers.BatchNormalization):
            config["momentum"] = 1.0

    clone = copied(teacher, keep_statistics)
    # Not `clone.trainable = False`: Keras takes that for inference mode, whatever is asked for.
    for variable in clone.variables:
        variable.trainable = False
    return clone


def inferring(teacher: keras.Model, taps: Iterable[str]) -> keras.Model:
    """Returns a copy of a teacher for inference mode, without most of its BatchNormalization.

    Args:
      teacher: a functional model.
      taps: the names.
    """
    # Of a copy: other views of the teacher read its layers, too, and then nothing is folded.
    return folded(tapped(frozen(teacher), sorted(taps)))
