"""Distillation losses: pure functions on `keras.ops`.

Student first, teacher second; the teacher's side carries no gradient; arithmetic is float32
whatever the model's precision; feature maps are NHWC; results are scalars, averaged over the
batch. Shapes that cannot be compared are refused with a ConfigError.
"""

from kd_trainer.losses.contrastive import noise_contrastive
from kd_trainer.losses.features import (
    activation_boundary,
    hierarchical_context,
    hint,
    partial_distance,
    variational_information,
)
from kd_trainer.losses.flow import flow_of_solution_procedure
from kd_trainer.losses.graphs import attention_graph
from kd_trainer.losses.logits import (
    cross_entropy,
    decoupled,
    dist,
    kl_divergence,
    standardize_logits,
    symmetric_divergence,
)
from kd_trainer.losses.patterns import (
    attention_distance,
    attention_transfer,
    factor_transfer,
    jacobian_matching,
    neuron_selectivity_transfer,
)
from kd_trainer.losses.relations import (
    correlation_congruence,
    probabilistic_knowledge_transfer,
    similarity_preserving,
)
from kd_trainer.losses.rkd import rkd_angle, rkd_distance
from kd_trainer.losses.singular_values import kd_svd

__all__ = [
    "activation_boundary",
    "attention_distance",
    "attention_graph",
    "attention_transfer",
    "correlation_congruence",
    "cross_entropy",
    "decoupled",
    "dist",
    "factor_transfer",
    "flow_of_solution_procedure",
    "hierarchical_context",
    "hint",
    "jacobian_matching",
    "kd_svd",
    "kl_divergence",
    "neuron_selectivity_transfer",
    "noise_contrastive",
    "partial_distance",
    "probabilistic_knowledge_transfer",
    "rkd_angle",
    "rkd_distance",
    "similarity_preserving",
    "standardize_logits",
    "symmetric_divergence",
    "variational_information",
]
