"""Relational knowledge distillation: distances and angles between a batch's samples."""

from typing import Any

from keras import ops

from kd_trainer.losses.numerics import flatten, huber, of_student, of_teacher, safe_sqrt
from kd_trainer.losses.shapes import require_equal_batch

Tensor = Any

# Samples whose squared distance is below this part of their squared norms are one: it is the
# rounding of float32.
SAME = 1e-6
# Angles are taken at this many samples at a time.
CHUNK = 8


def rkd_distance(
    student_embedding: Tensor, teacher_embedding: Tensor, self_pairs: bool = False
) -> Tensor:
    """Huber loss of the distances between samples, over their mean.

    Park et al., "Relational Knowledge Distillation", 2019, equations 6 to 8. As in the authors'
    code the mean distance is of the pairs of different samples, and the loss the mean over all
    pairs, those of a sample with itself among them.

    Args:
      student_embedding: `(batch, ...)`, flattened; as it is, not L2-normalised.
      teacher_embedding: the same batch, of any width; no gradient flows into it.
      self_pairs: whether the mean distance is of all pairs too, as in the seed: smaller by the
        pairs of no distance.

    Returns:
      A float32 scalar; 0 for a batch of one.
    """
    student, teacher = of_student(student_embedding), of_teacher(teacher_embedding)
    require_equal_batch("rkd_distance", student, teacher)
    student, teacher = (_relative_distances(one, self_pairs) for one in (student, teacher))
    return ops.mean(huber(student - teacher))


def _relative_distances(embedding: Tensor, self_pairs: bool) -> Tensor:
    distances = safe_sqrt(_squared_distances(embedding))
    counted = distances >= 0 if self_pairs else distances > 0
    pairs = ops.sum(ops.cast(counted, "float32"))
    mean = ops.sum(distances) / ops.maximum(pairs, 1.0)
    return distances / ops.where(mean > 0, mean, 1.0)


def rkd_angle(student_embedding: Tensor, teacher_embedding: Tensor) -> Tensor:
    """Huber loss of the cosines of the angles that samples form at each sample.

    Park et al., "Relational Knowledge Distillation", 2019, equations 9 and 10, as the mean over
    all triples, as in the authors' code; an angle with a side of no length counts as 0.

    Args:
      student_embedding: `(batch, ...)`, flattened.
      teacher_embedding: the same batch, of any width; no gradient flows into it.

    Returns:
      A float32 scalar; 0 for a batch of one.
    """
    student, teacher = of_student(student_embedding), of_teacher(teacher_embedding)
    require_equal_batch("rkd_angle", student, teacher)
    student, teacher = _squared_distances(student), _squared_distances(teacher)
    at_rest = ops.stop_gradient(student)
    loss, slope = _angle_loss_and_slope(at_rest, teacher)
    # The second part is zero, but has the loss's derivative. Backpropagation would keep the
    # angles of all triples, the cube of the batch.
    return ops.stop_gradient(loss) + ops.sum(ops.stop_gradient(slope) * (student - at_rest))


def _squared_distances(embedding: Tensor) -> Tensor:
    """Returns the squared Euclidean distances of all pairs, `(batch, batch)`."""
    embedding = flatten(embedding)
    # Distances do not change, but less is lost to rounding near the origin.
    embedding = embedding - ops.mean(embedding, axis=0, keepdims=True)
    gram = ops.matmul(embedding, ops.transpose(embedding))
    # The norms are taken from the product, so that all entries have its rounding.
    norms = ops.diagonal(gram)
    norms = norms[:, None] + norms[None, :]
    squares = norms - 2 * gram
    return ops.where(squares <= SAME * norms, 0.0, squares)


def _angle_loss_and_slope(student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the loss and its derivative by the student's squared distances.

    With S the squared distances, the cosine at i between j and k is
    (S_ij + S_ik - S_jk) / (2·√S_ij·√S_ik), so that the features are not needed.
    """
    batch = ops.shape(student)[0]
    triples = ops.power(ops.cast(batch, "float32"), 3)

    def at_vertices(chunk: Tensor, sums: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        loss, slope = sums
        vertices = chunk * CHUNK + ops.arange(CHUNK)
        # The last chunk is filled up with samples that are not there.
        exists = ops.cast(vertices < batch, "float32")[:, None, None]
        vertices = ops.minimum(vertices, batch - 1)
        cosines, inverse = _cosines(student, vertices)
        difference = exists * (cosines - _cosines(teacher, vertices)[0])
        by_cosine = ops.clip(difference, -1.0, 1.0)
        by_product = by_cosine * inverse[:, :, None] * inverse[:, None, :]
        by_side = ops.sum(by_product, axis=2)
        by_side = by_side - ops.square(inverse) * ops.sum(by_cosine * cosines, axis=2)
        rows = ops.one_hot(vertices, batch, dtype="float32")[:, :, None] * by_side[:, None, :]
        slope = slope + ops.sum(rows - 0.5 * by_product, axis=0)
        return loss + ops.sum(huber(difference)), slope

    chunks = (batch + CHUNK - 1) // CHUNK
    start = (ops.zeros(()), ops.zeros_like(student))
    loss, slope = ops.fori_loop(0, chunks, at_vertices, start)
    return loss / triples, slope / triples


def _cosines(squares: Tensor, vertices: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the cosines `(vertices, batch, batch)` and the sides' inverse lengths."""
    sides = ops.take(squares, vertices, axis=0)
    same = sides <= 0
    inverse = ops.where(same, 0.0, ops.rsqrt(ops.where(same, 1.0, sides)))
    products = 0.5 * (sides[:, :, None] + sides[:, None, :] - squares[None])
    return products * inverse[:, :, None] * inverse[:, None, :], inverse
