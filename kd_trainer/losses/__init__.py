"""Distillation losses: pure functions on `keras.ops`.

Student first, teacher second; the teacher's side carries no gradient; arithmetic is float32
whatever the model's precision; feature maps are NHWC; results are scalars, averaged over the batch.
"""

from kd_trainer.losses.features import hint
from kd_trainer.losses.logits import cross_entropy, kl_divergence

__all__ = ["cross_entropy", "hint", "kl_divergence"]
