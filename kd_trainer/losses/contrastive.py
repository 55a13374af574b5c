"""Contrastive losses."""

import math
from typing import Any

from keras import ops

from kd_trainer.errors import ConfigError
from kd_trainer.losses.numerics import of_student

Tensor = Any


def noise_contrastive(similarities: Tensor, normalizer: Tensor, samples: int) -> Tensor:
    """Tells each sample's one positive from its negatives, which are noise.

    Tian et al., "Contrastive Representation Distillation", 2020, as its code has equation 18. With
    P = exp(similarity) / normalizer the probability under the model, 1 / samples that under the
    noise, and c = negatives / samples: -log(P / (P + c)) of the positive, and -log(c / (P + c)) of
    each negative. The code adds 1e-7 to the denominators; here all is in the logarithm.

    Args:
      similarities: `(batch, 1 + negatives)`, over the temperature; the positive first.
      normalizer: positive scalar, the constant that makes P a probability.
      samples: the size of the set that negatives are drawn from.

    Returns:
      A float32 scalar: summed over positive and negatives, averaged over the batch.

    Raises:
      ConfigError: there is no negative.
    """
    similarities = of_student(similarities)
    if len(similarities.shape) != 2 or similarities.shape[1] < 2:
        raise ConfigError(
            f"noise_contrastive: found similarities of the shape {tuple(similarities.shape)}; "
            "expected (batch, 2 or more): a positive and its negatives."
        )
    negatives = similarities.shape[1] - 1
    # log(P / noise), the logit of a sample being no noise.
    logits = similarities - ops.log(of_student(normalizer)) - math.log(negatives / samples)
    of_positive = ops.softplus(-logits[:, 0])
    return ops.mean(of_positive + ops.sum(ops.softplus(logits[:, 1:]), axis=-1))
