"""Keras as it comes: `fit`'s step of the same network, and `keras.distillation.Distiller`."""

import time

import keras
import tensorflow as tf
from keras import distillation

from benchmarks.speed.subjects import CLASSES, batch
from kd_trainer.networks import build

VERSIONS = f"Keras {keras.__version__} on TensorFlow {tf.__version__}."
# Of ours, what is nearest to what Keras has.
LOSSES = {
    "soft_logits": lambda: distillation.LogitsDistillation(temperature=4.0),
    "fitnet": lambda: distillation.FeatureDistillation(
        loss="mse", teacher_layer_name="stage3", student_layer_name="stage3"
    ),
}


def subjects(student, teacher, batch_size, method):
    """The step that `fit` makes of the model."""
    if method == "plain":
        model = build(student, CLASSES)
    elif method in LOSSES:
        model = distillation.Distiller(
            teacher=build(teacher, CLASSES),
            student=build(student, CLASSES),
            distillation_losses=LOSSES[method](),
        )
    else:
        return {}
    model.compile(
        keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    given = tuple(tf.constant(array) for array in batch(batch_size))
    data = tf.data.Dataset.from_tensors(given)

    def subject():
        start = time.perf_counter()
        model.fit(data, verbose=0)
        return time.perf_counter() - start

    return {"Keras's own": subject}
