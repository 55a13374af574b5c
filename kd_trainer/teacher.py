"""The teacher as the distiller uses it."""

import keras


def frozen(teacher: keras.Model) -> keras.Model:
    """Returns a copy of a teacher that no training changes; the teacher itself is left alone.

    None of its variables is trained, and its BatchNormalization keeps its moving statistics also
    in training mode, where it normalises by the batch's own.

    Args:
      teacher: a functional model.
    """

    def copy(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if isinstance(layer, keras.layers.BatchNormalization):
            config["momentum"] = 1.0
        return type(layer).from_config(config)

    clone = keras.models.clone_model(teacher, clone_function=copy)
    clone.set_weights(teacher.get_weights())
    # Not `clone.trainable = False`: Keras takes that for inference mode, whatever is asked for.
    for variable in clone.variables:
        variable.trainable = False
    return clone
