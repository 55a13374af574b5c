"""Eigenvectors of symmetric matrices: all of them, or the leading ones sooner."""

from typing import Any

import numpy as np
from keras import ops

Tensor = Any

# How far a matrix may turn an eigenvector aside; eigh's own are no better.
RESOLUTION = 1e-6
_SPARE, _ITERATIONS = 3, 4


def eigenvectors(gram: Tensor) -> tuple[Tensor, Tensor]:
    """Returns all eigenvalues, the largest first, and their vectors.

    Args:
      gram: `(batch, n, n)`, float32, symmetric.

    Returns:
      The values `(batch, n)` and the vectors `(batch, n, n)`, one a column.
    """
    # LAPACK fails on what is not finite; the network that diverged shall have a loss of NaN.
    values, basis = ops.eigh(ops.where(ops.isfinite(gram), gram, 1.0))
    return ops.flip(values, axis=-1), ops.flip(basis, axis=-1)


def leading_eigenvectors(gram: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Returns the largest eigenvalues and their vectors; not to be derived.

    By orthogonal iteration of a few more vectors than are asked for, and a small eigenproblem in
    what they span (Golub and Van Loan, "Matrix Computations", sections 8.2.4 and 8.1.4). Where it
    has not come as near as float32 resolves, all are found as in `eigenvectors`.

    Args:
      gram: `(batch, n, n)`, float32, symmetric, its eigenvalues in [0, 1].
      count: how many; fewer come back of a smaller matrix.

    Returns:
      The values `(batch, count)` and the vectors `(batch, n, count)`, one a column.
    """

    def by_all() -> tuple[Tensor, Tensor]:
        values, basis = eigenvectors(gram)
        return values[:, :count], basis[:, :, :count]

    if 4 * (count + _SPARE) > gram.shape[-1]:
        return by_all()
    values, vectors, near = _iterated(gram, count)
    return ops.cond(near, lambda: (values, vectors), by_all)


def _iterated(gram: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Returns the largest values, their vectors, and whether these are as near as can be."""
    shape = gram.shape[-1], count + _SPARE
    # Where to start from is arbitrary; it must not be at right angles to what is sought.
    start = np.linalg.qr(np.random.default_rng(0).normal(size=shape))[0]
    basis = ops.broadcast_to(ops.cast(start, "float32"), (ops.shape(gram)[0], *shape))
    for _ in range(_ITERATIONS):
        basis, _ = ops.qr(ops.matmul(gram, ops.matmul(gram, basis)))
    image = ops.matmul(gram, basis)
    values, turn = eigenvectors(ops.matmul(ops.transpose(basis, (0, 2, 1)), image))
    values, turn = values[:, :count], turn[:, :, :count]
    vectors = ops.matmul(basis, turn)
    residual = ops.matmul(image, turn) - vectors * values[:, None, :]
    return values, vectors, ops.max(ops.abs(residual)) < RESOLUTION
