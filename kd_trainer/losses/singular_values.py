"""The relation of the singular vectors of two stages."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from kd_trainer.errors import ConfigError
from kd_trainer.losses.numerics import l2_normalize, of_student, of_teacher, safe_sqrt
from kd_trainer.losses.shapes import require_equal_channels, require_maps

Tensor = Any

# The student offers this many vectors more than the teacher has, for the order may differ.
SPARE = 3
# Of eigenvalues that sum to 1, in float32: a gap below the square root of the first is damped,
# for its inverse is a derivative; an eigenvalue below the second times the largest is zero.
GAP_SQUARED = 1e-10
NOISE = 1e-6


def kd_svd(
    student_features: Sequence[Tensor], teacher_features: Sequence[Tensor], k: int = 1
) -> Tensor:
    """Difference of how neighbouring stages' singular vectors relate.

    Lee et al., "Self-supervised Knowledge Distillation Using Singular Value Decomposition",
    2018, sections 3.1 to 3.3: of each sample's map as a matrix of pixels by channels, the top
    `k` right singular vectors, scaled by the teacher's normalised singular values; of two
    neighbouring stages exp(-(v_d - v'_d')² / 8) for every pair of elements; and the sum of
    squares of the difference of student and teacher. Each vector of the teacher is held against
    the student's best aligned one of the top `k + 3`, as in the authors' code.

    The sign of a singular vector is arbitrary, and with it the relation of two stages: the
    references take what LAPACK happens to return. Here it is the sign for which student and
    teacher differ more, so that the value depends on the maps alone.

    Of equal singular values there are no single vectors, and the derivative grows without bound
    towards them; it is damped where they differ by less than float32 resolves. Vectors of no
    singular value are left out.

    Args:
      student_features: at least two maps, `(batch, height, width, channels)`, in order.
      teacher_features: as many, of the same channels; heights and widths may differ from the
        student's. No gradient flows into them.
      k: the number of singular vectors.

    Returns:
      A float32 scalar: summed over elements, vectors and neighbouring stages, averaged over the
      batch.
    """
    student_features = [of_student(feature) for feature in student_features]
    teacher_features = [of_teacher(feature) for feature in teacher_features]
    _check(student_features, teacher_features, k)
    loss, before = 0.0, None
    for ours, theirs in zip(student_features, teacher_features, strict=True):
        values, teacher = right_singular_vectors(theirs, k)
        _, student = right_singular_vectors(ours, k + SPARE)
        scale = l2_normalize(values, axis=-1)[:, None, :]
        now = _align(student, teacher) * scale, teacher * scale
        if before is not None:
            sign = [_difference(now, before, sign) for sign in (1, -1)]
            loss = loss + ops.mean(ops.sum(ops.maximum(*sign), axis=-1))
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
      the vectors `(batch, channels, count)`, zero where the value is.
    """
    _, height, width, channels = feature.shape
    matrix = ops.reshape(feature, (-1, height * width, channels))
    # The vectors do not depend on the scale, and the thresholds need one.
    matrix = l2_normalize(matrix, axis=(1, 2))
    transposed = ops.transpose(matrix, (0, 2, 1))
    wide = height * width < channels
    gram = ops.matmul(matrix, transposed) if wide else ops.matmul(transposed, matrix)
    at_rest = ops.stop_gradient(gram)
    # LAPACK fails on what is not finite; the network that diverged shall have a loss of NaN.
    values, basis = ops.eigh(ops.where(ops.isfinite(at_rest), at_rest, 1.0))
    values, basis = ops.flip(values, axis=-1), ops.flip(basis, axis=-1)
    top, vectors = values[:, None, :count], basis[:, :, :count]
    gaps = top - values[:, :, None]
    inverse = gaps / (ops.square(gaps) + GAP_SQUARED)
    # Zero, but with the derivative.
    moved = ops.matmul(ops.transpose(basis, (0, 2, 1)), ops.matmul(gram - at_rest, vectors))
    vectors = vectors + ops.matmul(basis, moved * inverse)
    dead = top <= NOISE * top[:, :, :1]
    if wide:
        vectors = l2_normalize(ops.matmul(transposed, vectors), axis=1)
    return safe_sqrt(ops.maximum(top[:, 0], 0.0)), ops.where(dead, 0.0, vectors)


def _align(student: Tensor, teacher: Tensor) -> Tensor:
    """Returns for each vector of the teacher the nearest of the student's lines, signed alike."""
    cosines = ops.matmul(ops.transpose(ops.stop_gradient(student), (0, 2, 1)), teacher)
    best = ops.argmax(ops.abs(cosines), axis=1)
    choice = ops.one_hot(best, cosines.shape[1], axis=1, dtype="float32")
    return ops.matmul(student, choice * ops.where(cosines < 0, -1.0, 1.0))


def _difference(now: tuple[Tensor, Tensor], before: tuple[Tensor, Tensor], sign: int) -> Tensor:
    """Returns the squared difference of the relations, `(batch, k)`."""
    student, teacher = (
        ops.exp(ops.square(b[:, :, None] - sign * a[:, None]) / -8)
        for a, b in zip(before, now, strict=True)
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
