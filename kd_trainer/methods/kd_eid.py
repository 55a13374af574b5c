"""KD-EID: KD-SVD with the singular vectors from an eigendecomposition.

The authors' later version of KD-SVD (Lee, Kim, Song, 2018), in sseung0703/KD_methods_with_TF. Right
singular vectors of a map are eigenvectors of its Gram matrix, which is small and symmetric; they
are found from that, and the derivative is written by hand. Everything else is KD-SVD's: the
relation of neighbouring stages, its loss, the bound on its gradient.

V of X = U·S·Vᵀ as the eigenvectors of XᵀX, or Xᵀ·U with those of XXᵀ where a map has fewer pixels
than channels.

Presets: `upstream`, that of `kd_svd`: the top vector, held against the nearest of the student's
top 4, scaled, summed over the batch, bounded by the sigmoid of the epoch.

Here `kd_svd` is computed so already, for every backend: an eigendecomposition of the smaller Gram
matrix, its derivative by perturbation theory. The two methods are one and the same computation
and give the same student, to the bit; this name is for those who know the method by it. (The
upstream README reports 73.84 % for KD-EID and 73.68 % for KD-SVD, means of five trials without
their deviations.)

Upstream, a map with about as many pixels as channels (2/3 < pixels / channels < 3/2) has no
gradient: it falls back to an SVD of a stopped copy. Here it has one.
"""

from typing import ClassVar

from kd_trainer.methods.kd_svd import KDSVD


class KDEID(KDSVD):
    """KD-EID (Lee et al., 2018, as the authors compute it later)."""

    PRESETS: ClassVar = {"upstream": KDSVD.PRESETS["upstream"]}
