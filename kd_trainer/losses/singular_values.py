"""The relation of the singular vectors of two stages."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from kd_trainer.errors import ConfigError
from kd_trainer.losses.eigenvectors import eigenvectors, leading_eigenvectors
from kd_trainer.losses.numerics import l2_normalize, of_student, of_teacher, safe_sqrt
from kd_trainer.losses.shapes import require_equal_channels, require_maps

Tensor = Any

# Of eigenvalues that sum to 1, in float32: a gap below the square root of the first is damped,
# for its inverse is a derivative; an eigenvalue below the second times the largest is zero.
GAP_SQUARED = 1e-10
NOISE = 1e-6


def kd_svd(
    student_features: Sequence[Tensor],
    teacher_features: Sequence[Tensor],
    k: int = 1,
    spare: int = 3,
    scaled: bool = True,
) -> Tensor:
    """Difference of how neighbouring stages' singular vectors relate.

    Lee et al., "Self-supervised Knowledge Distillation Using Singular Value Decomposition",
    2018, sections 3.1 to 3.3: of each sample's map as a matrix of pixels by channels, the top
    `k` right singular vectors, scaled by the teacher's normalised singular values; of two
    neighbouring stages exp(-(v_d - v'_d')² / 8) for every pair of elements; and the sum of
    squares of the difference of student and teacher. Each vector of the teacher is held against
    the student's best aligned one of the top `k + spare`, as in the authors' code.

    The sign of a singular vector is arbitrary, and the relation of two stages depends on the two
    signs being alike or not: the references take what LAPACK happens to return. The first vector
    of a map after a ReLU has one sign in all its elements (Perron-Frobenius), and LAPACK returns
    both stages' alike but for a few small maps; here they are both positive. Where there is no
    such sign (a map with negative elements, the second vector and on) it is the one for which
    student and teacher differ more. So the value depends on the maps alone.

    Of equal singular values there are no single vectors, and the derivative grows without bound
    towards them; it is damped where they differ by less than float32 resolves. Vectors of no
    singular value are left out.

    Args:
      student_features: at least two maps, `(batch, height, width, channels)`, in order.
      teacher_features: as many, of the same channels; heights and widths may differ from the
        student's. No gradient flows into them.
      k: the number of singular vectors.
      spare: how many vectors more the student offers, for the order may differ.
      scaled: whether vectors are multiplied by the teacher's normalised singular values.

    Returns:
      A float32 scalar: summed over elements, vectors and neighbouring stages, averaged over the
      batch.
    """
    student_features = [of_student(feature) for feature in student_features]
    teacher_features = [of_teacher(feature) for feature in teacher_features]
    _check(student_features, teacher_features, k)
    loss, before = 0.0, None
    for ours, theirs in zip(student_features, teacher_features, strict=True):
        values, teacher = leading_singular_vectors(theirs, k)
        _, student = right_singular_vectors(ours, k + spare)
        student = align(student, teacher)
        if scaled:
            scale = l2_normalize(values, axis=-1)[:, None, :]
            student, teacher = student * scale, teacher * scale
        now = student, teacher, _has_sign(theirs, k)
        if before is not None:
            alike, opposite = (_difference(now, before, sign) for sign in (1, -1))
            known = ops.logical_and(now[2], before[2])
            difference = ops.where(known, alike, ops.maximum(alike, opposite))
            loss = loss + ops.mean(ops.sum(difference, axis=-1))
        before = now
    return loss


def right_singular_vectors(feature: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Returns the largest singular values and their right vectors, one matrix a sample.

    By the eigenvectors of the smaller Gram matrix. Their derivative is that of perturbation
    theory, dv_i = Σ_j v_j·(v_jᵀ·dA·v_i) / (λ_i - λ_j), which is finite for equal eigenvalues.

    Args:
      feature: `(batch, height, width, channels)`, float32.
      count: how many; fewer come back of a map of fewer pixels or channels.

    Returns:
      The values `(batch, count)` of the map at unit norm, descending and without a gradient, and
      the vectors `(batch, channels, count)`, zero where the value is, with the sign for which
      their elements sum to more than zero.
    """
    matrix, gram = _gram(feature)
    at_rest = ops.stop_gradient(gram)
    values, basis = eigenvectors(at_rest)
    top, vectors = values[:, None, :count], basis[:, :, :count]
    gaps = top - values[:, :, None]
    inverse = gaps / (ops.square(gaps) + GAP_SQUARED)
    # Zero, but with the derivative.
    moved = ops.matmul(ops.transpose(basis, (0, 2, 1)), ops.matmul(gram - at_rest, vectors))
    vectors = vectors + ops.matmul(basis, moved * inverse)
    return _of_gram(matrix, top, vectors)


def leading_singular_vectors(feature: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Returns what `right_singular_vectors` does, without a derivative and sooner.

    Args:
      feature: `(batch, height, width, channels)`, float32.
      count: how many.

    Returns:
      As `right_singular_vectors`.
    """
    matrix, gram = _gram(ops.stop_gradient(feature))
    values, basis = leading_eigenvectors(gram, count)
    return _of_gram(matrix, values[:, None], basis)


def _gram(feature: Tensor) -> tuple[Tensor, Tensor]:
    """Returns a map at unit norm as a matrix of pixels by channels, and its smaller Gram matrix."""
    _, height, width, channels = feature.shape
    matrix = ops.reshape(feature, (-1, height * width, channels))
    # The vectors do not depend on the scale, and the thresholds need one.
    matrix = l2_normalize(matrix, axis=(1, 2))
    transposed = ops.transpose(matrix, (0, 2, 1))
    pair = (matrix, transposed) if _is_wide(matrix) else (transposed, matrix)
    return matrix, ops.matmul(*pair)


def _is_wide(matrix: Tensor) -> bool:
    return matrix.shape[1] < matrix.shape[2]


def _of_gram(matrix: Tensor, top: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Returns singular values and right vectors of a map, from those of its Gram matrix."""
    dead = top <= NOISE * top[:, :, :1]
    if _is_wide(matrix):
        vectors = l2_normalize(ops.matmul(ops.transpose(matrix, (0, 2, 1)), vectors), axis=1)
    vectors = vectors * ops.where(ops.sum(vectors, axis=1, keepdims=True) < 0, -1.0, 1.0)
    return safe_sqrt(ops.maximum(top[:, 0], 0.0)), ops.where(dead, 0.0, vectors)


def align(student: Tensor, teacher: Tensor) -> Tensor:
    """Returns for each vector of the teacher the nearest of the student's lines, signed alike.

    Args:
      student: `(batch, channels, at least count)`.
      teacher: `(batch, channels, count)`.

    Returns:
      Of the student's, `(batch, channels, count)`; one may be chosen twice.
    """
    cosines = ops.matmul(ops.transpose(ops.stop_gradient(student), (0, 2, 1)), teacher)
    best = ops.argmax(ops.abs(cosines), axis=1)
    choice = ops.one_hot(best, cosines.shape[1], axis=1, dtype="float32")
    return ops.matmul(student, choice * ops.where(cosines < 0, -1.0, 1.0))


def _has_sign(feature: Tensor, k: int) -> Tensor:
    """Returns which of the top vectors have one sign in all their elements, `(batch, k)`."""
    positive = ops.all(feature >= 0, axis=(1, 2, 3))
    return ops.logical_and(positive[:, None], ops.arange(k) == 0)


def _difference(now: tuple[Tensor, ...], before: tuple[Tensor, ...], sign: int) -> Tensor:
    """Returns the squared difference of the relations, `(batch, k)`."""
    student, teacher = (
        ops.exp(ops.square(b[:, :, None] - sign * a[:, None]) / -8)
        for a, b in zip(before[:2], now[:2], strict=True)
    )
    return ops.sum(ops.square(student - teacher), axis=(1, 2))


def _check(student: list[Tensor], teacher: list[Tensor], k: int) -> None:
    if len(student) != len(teacher) or len(student) < 2:
        raise ConfigError(
            f"kd_svd: found {len(student)} maps of the student and {len(teacher)} of the teacher; "
            "expected as many of both, and at least two."
        )
    for ours, theirs in zip(student, teacher, strict=True):
        require_maps("kd_svd", ours, theirs)
        require_equal_channels("kd_svd", ours, theirs)
        smallest = min(*(one.shape[1] * one.shape[2] for one in (ours, theirs)), ours.shape[3])
        if not 1 <= k <= smallest:
            raise ConfigError(
                f"kd_svd: found k = {k}; expected 1 to {smallest}, the fewest pixels or channels "
                f"of maps of the shapes {tuple(ours.shape)} and {tuple(theirs.shape)}."
            )
