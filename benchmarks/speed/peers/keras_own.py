"""Keras as it comes: `fit`'s step of the same network, and `keras.distillation.Distiller`."""

import time

import keras
import tensorflow as tf
from keras import distillation

from benchmarks.speed.subjects import CLASSES, batch
from kd_trainer.networks import build


def subjects(student, teacher, batch_size):
    """A plain step, soft logits and a feature."""
    given = tuple(tf.constant(array) for array in batch(batch_size))
    plain = build(student, CLASSES)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    logits = keras.distillation.LogitsDistillation(temperature=4.0)
    found = {"Keras, plain": plain}
    found["keras.distillation, logits"] = distillation.Distiller(
        teacher=build(teacher, CLASSES), student=build(student, CLASSES), distillation_losses=logits
    )
    feature = distillation.FeatureDistillation(
        loss="mse", teacher_layer_name="stage3", student_layer_name="stage3"
    )
    found["keras.distillation, feature"] = distillation.Distiller(
        teacher=build(teacher, CLASSES),
        student=build(student, CLASSES),
        distillation_losses=feature,
    )
    return {name: _step(model, loss, given) for name, model in found.items()}


def _step(model, loss, given):
    model.compile(
        keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True), loss=loss, jit_compile=False
    )
    step = tf.function(model.train_step)

    def subject():
        start = time.perf_counter()
        tf.nest.map_structure(lambda tensor: tensor.numpy(), step(given))
        return time.perf_counter() - start

    return subject
