"""The values that reference implementations gave, to the digits they were noted with."""

from collections.abc import Callable

import numpy as np
import pytest
from loss_cases import (
    LABELS,
    STUDENT_EMBEDDING,
    STUDENT_LOGITS,
    STUDENT_MAPS,
    TEACHER_EMBEDDING,
    TEACHER_LOGITS,
    TEACHER_MAPS,
)

from kd_trainer import losses


def of_maps(loss: Callable, stage: int = 0) -> Callable:
    return lambda: loss(STUDENT_MAPS[stage], TEACHER_MAPS[stage])


def of_embeddings(loss: Callable) -> Callable:
    return lambda: loss(STUDENT_EMBEDDING, TEACHER_EMBEDDING)


def decoupled(alpha: float, beta: float) -> Callable:
    return lambda: losses.decoupled(STUDENT_LOGITS, TEACHER_LOGITS, LABELS, alpha, beta, 4.0)


def dist(temperature: float, part: int) -> Callable:
    return lambda: losses.dist(STUDENT_LOGITS, TEACHER_LOGITS, temperature)[part]


def standardized() -> float:
    standard = [losses.standardize_logits(z) for z in (STUDENT_LOGITS, TEACHER_LOGITS)]
    return 4 * losses.kl_divergence(*standard, 2.0)


def symmetric() -> float:
    return losses.symmetric_divergence(STUDENT_LOGITS, TEACHER_LOGITS)


def variational() -> float:
    variance = np.full(3, 5.0)
    return losses.variational_information(STUDENT_MAPS[0], variance, TEACHER_MAPS[0])


GOLDEN = {
    "at_code_mean_sq": (of_maps(losses.attention_transfer), 0.035169419),
    "at_paper_l2_mean_b": (lambda: 16 * of_maps(losses.attention_distance)(), 0.74893729),
    "ab_m1_s1t1_sum_over_hwc_mean_b": (of_maps(losses.activation_boundary), 62.979814),
    "ab_m1_s2t2": (of_maps(losses.activation_boundary, 1), 57.542093),
    "fsp_paper_sum_mean_b": (
        lambda: losses.flow_of_solution_procedure(tuple(STUDENT_MAPS), tuple(TEACHER_MAPS)),
        4.3764175,
    ),
    "kdsvd_k1_per_sample": (lambda: losses.kd_svd(STUDENT_MAPS, TEACHER_MAPS), 0.0017175938),
    "rkd_distance": (of_embeddings(losses.rkd_distance), 0.01929637),
    "rkd_angle": (of_embeddings(losses.rkd_angle), 0.044438611),
    "ft_paper_l1_of_l2normed_factors": (of_maps(losses.factor_transfer), 0.14949746),
    "vid_identity_mean_init_var5": (variational, 0.89038945),
    "sp": (of_maps(losses.similarity_preserving, 1), 0.148334),
    "cc_crd_code": (of_embeddings(losses.correlation_congruence), 0.51154853),
    "pkt_mean_over_bxb": (of_embeddings(losses.probabilistic_knowledge_transfer), 0.056196072),
    "nst_poly2": (of_maps(losses.neuron_selectivity_transfer), 1.6064953),
    "dkd_tckd_T4": (decoupled(1.0, 0.0), 0.99589556),
    "dkd_nckd_T4": (decoupled(0.0, 1.0), 2.5707397),
    "dkd_1_8_T4": (decoupled(1.0, 8.0), 21.561814),
    "dist_inter_T1": (dist(1.0, 0), 1.0192622),
    "dist_intra_T1": (dist(1.0, 1), 1.1090346),
    "dist_inter_T4": (dist(4.0, 0), 0.97761669),
    "dist_intra_T4": (dist(4.0, 1), 1.1252628),
    "dml_seed_symmetric": (symmetric, 1.8686235),
    "lskd_T2_x_T2": (standardized, 0.72505922),
    "reviewkd_hcl_s1t1": (of_maps(losses.hierarchical_context), 0.50911423),
}


@pytest.mark.parametrize(("loss", "golden"), GOLDEN.values(), ids=GOLDEN)
def test_the_loss_has_the_golden_value(loss: Callable, golden: float) -> None:
    assert float(loss()) == pytest.approx(golden, rel=1e-5)
