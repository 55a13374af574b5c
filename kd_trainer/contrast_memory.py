"""The memory of contrastive distillation: an embedding of every training image."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from kd_trainer.errors import ConfigError
from kd_trainer.losses.numerics import l2_normalize

Tensor = Any


class ContrastMemory(keras.layers.Layer):
    """Holds a batch's embeddings against the memorised ones of the other network.

    Tian et al., "Contrastive Representation Distillation", 2020 (`ContrastMemory` of its code).
    There is a bank for each network, a unit vector for each training image, which moves towards
    the embedding whenever the image is seen. Banks, constants and the state of the random draw
    are variables: a training that is gone on with draws the same negatives.

    Negatives are drawn uniformly, with replacement, from the images of other classes than the
    sample's own: the classes' images lie side by side in one order, so that a draw skips its own
    class's. (A draw is an integer below 2³¹ modulo their number; the odds of two images differ by
    less than one in ten thousand.)

    Args:
      labels: class numbers of the training set.
      width: dimensions of the embeddings.
      negatives: how many are drawn for each sample.
      temperature: what similarities are divided by.
      momentum: what of the memorised vector stays when its image is seen.
      name: the layer's name.

    Raises:
      ConfigError: all images are of one class.
    """

    def __init__(
        self,
        labels: np.ndarray,
        width: int,
        negatives: int,
        temperature: float,
        momentum: float,
        name: str,
    ):
        super().__init__(name=name, dtype="float32")
        classes, of_image, sizes = np.unique(labels, return_inverse=True, return_counts=True)
        if len(classes) < 2:
            raise ConfigError(
                f"{name}: all {len(labels)} training images are of the class {classes[0]}; "
                "expected two or more, for negatives are drawn from other classes. Give other data."
            )
        self._by_class = np.argsort(of_image, kind="stable").astype("int32")
        self._class_start = (np.cumsum(sizes) - sizes)[of_image].astype("int32")
        self._class_size = sizes[of_image].astype("int32")
        self._samples = len(labels)
        self._width, self._negatives = width, negatives
        self._temperature, self._momentum = temperature, momentum
        self.seed_generator = keras.random.SeedGenerator()
        self.build()

    def build(self, input_shape: Any = None) -> None:
        """Makes the banks, of random vectors, and the constants, which are not known yet."""
        limit = 1 / math.sqrt(self._width / 3)

        def bank(name: str) -> keras.Variable:
            initializer = keras.initializers.RandomUniform(-limit, limit)
            return self.add_weight((self._samples, self._width), initializer, name=name, **constant)

        constant: dict[str, Any] = {"trainable": False, "dtype": "float32"}
        self.student_bank, self.teacher_bank = bank("student_bank"), bank("teacher_bank")
        unknown = keras.initializers.Constant(-1.0)
        self.student_normalizer = self.add_weight(
            (), unknown, name="student_normalizer", **constant
        )
        self.teacher_normalizer = self.add_weight(
            (), unknown, name="teacher_normalizer", **constant
        )
        self.built = True

    def call(
        self, student: Tensor, teacher: Tensor, indices: Tensor
    ) -> tuple[tuple[Tensor, Tensor, int], tuple[Tensor, Tensor, int]]:
        """Compares, then memorises.

        Args:
          student: unit vectors `(batch, width)`; a gradient flows into them.
          teacher: the same of the teacher.
          indices: each image's position in the training set, `(batch,)`.

        Returns:
          For the student's embeddings and for the teacher's, what `noise_contrastive` takes: the
          similarities to the other network's bank `(batch, 1 + negatives)`, that to the image's own
          vector first; the normalizer, which is the first batch's estimate; the number of images.
        """
        indices = ops.cast(indices, "int32")
        drawn = ops.concatenate([indices[:, None], self.draw(indices)], axis=1)
        of_student = self._similarities(student, self.teacher_bank, drawn)
        of_teacher = self._similarities(teacher, self.student_bank, drawn)
        normalizers = (
            self._normalizer(self.student_normalizer, of_student),
            self._normalizer(self.teacher_normalizer, of_teacher),
        )
        self._memorise(self.student_bank, student, indices)
        self._memorise(self.teacher_bank, teacher, indices)
        samples = self._samples
        return (of_student, normalizers[0], samples), (of_teacher, normalizers[1], samples)

    def draw(self, indices: Tensor) -> Tensor:
        """Returns positions of images of other classes, `(batch, negatives)`."""
        start, size = (
            ops.take(ops.convert_to_tensor(of_image), indices)[:, None]
            for of_image in (self._class_start, self._class_size)
        )
        shape = (ops.shape(indices)[0], self._negatives)
        drawn = keras.random.randint(shape, 0, 2**31 - 1, seed=self.seed_generator)
        drawn = ops.mod(drawn, self._samples - size)
        drawn = ops.where(drawn < start, drawn, drawn + size)
        return ops.take(ops.convert_to_tensor(self._by_class), drawn)

    def _similarities(self, embedding: Tensor, bank: keras.Variable, drawn: Tensor) -> Tensor:
        # All of the bank is less than the vectors of all negatives of all samples.
        vectors = ops.transpose(ops.convert_to_tensor(bank))
        all_ = ops.matmul(embedding, vectors) / self._temperature
        return ops.take_along_axis(all_, drawn, axis=1)

    def _normalizer(self, known: keras.Variable, similarities: Tensor) -> Tensor:
        estimate = self._samples * ops.mean(ops.exp(ops.stop_gradient(similarities)))
        before = ops.convert_to_tensor(known)
        known.assign(ops.where(before > 0, before, estimate))
        return ops.convert_to_tensor(known)

    def _memorise(self, bank: keras.Variable, embedding: Tensor, indices: Tensor) -> None:
        vectors = ops.convert_to_tensor(bank)
        moved = self._momentum * ops.take(vectors, indices, axis=0)
        moved = moved + (1 - self._momentum) * ops.stop_gradient(embedding)
        moved = l2_normalize(moved, axis=-1)
        bank.assign(ops.scatter_update(vectors, indices[:, None], moved))
