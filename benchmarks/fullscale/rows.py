"""The rows of the full-scale table, in the order in which they are run, with published figures.

Figures are top-1 test accuracies of the last epoch in %, on resnet32x4 -> resnet8x4 and CIFAR-100,
each under the recipe and the preset of its row:

  seed: bhheo/Knowledge_distillation_methods_wtih_Tensorflow, README, mean of 5 trials; KD-EID and
    MHGD from its later version, sseung0703/KD_methods_with_TF.
  CRD: HobbitLong/RepDistiller, README; DKD from megvii-research/mdistiller, README; the
    standardised logits from sunshangquan/logit-standardization-KD, README.
"""

from typing import Any, NamedTuple

from benchmarks.accuracy.__main__ import rows as parsed
from kd_trainer.recipe import Recipe

TEACHER, STUDENT = "resnet32x4", "resnet8x4"
BEST_PUBLISHED = 78.28  # MLKD with standardised logits, sunshangquan/logit-standardization-KD

RECIPES = {
    "seed": Recipe(),
    "CRD": Recipe(
        epochs=240,
        batch_size=64,
        learning_rate=0.05,
        milestones=(150 / 240, 180 / 240, 210 / 240),
        nesterov=False,
        pad_mode="constant",
    ),
}

# Recipe, method and preset, or none for the student alone, and published figure, where there is
# one. The seed's nine methods come first.
_ROWS: tuple[tuple[str, str, float | None], ...] = (
    ("seed", "baseline", 71.76),
    ("seed", "soft_logits/seed", 71.79),
    ("seed", "fitnet/seed", 72.74),
    ("seed", "attention_transfer/seed", 72.31),
    ("seed", "fsp/seed", 72.65),
    ("seed", "dml/seed", 73.27),
    ("seed", "kd_svd/seed", 73.68),
    ("seed", "activation_boundary/seed", 72.80),
    ("seed", "rkd/seed", 73.40),
    ("seed", "jacobian_matching/paper", None),
    # The seed's later version has means where `fitnet/seed` has sums.
    ("seed", "fitnet/upstream", 72.74),
    ("seed", "kd_eid/upstream", 73.84),
    ("seed", "mhgd/upstream", 73.98),
    ("CRD", "baseline", 72.50),
    ("CRD", "dkd/paper", 76.32),
    ("CRD", "logit_standardization/paper", 76.62),
    ("CRD", "logit_standardization/paper_dkd", 77.01),
    ("CRD", "crd/crd", 75.51),
    ("CRD", "review_kd/paper", None),
    ("CRD", "soft_logits/crd", 73.33),
    ("CRD", "fitnet/crd", 73.50),
    ("CRD", "attention_transfer/crd", 73.44),
    ("CRD", "similarity_preserving/crd", 72.94),
    ("CRD", "correlation_congruence/crd", 72.97),
    ("CRD", "vid/crd", 73.09),
    ("CRD", "rkd/crd", 71.90),
    ("CRD", "pkt/crd", 73.64),
    ("CRD", "activation_boundary/crd", 73.17),
    ("CRD", "factor_transfer/crd", 72.86),
    ("CRD", "fsp/crd", 72.62),
    ("CRD", "nst/crd", 73.30),
    ("CRD", "dist/paper", None),
    ("CRD", "overhaul/paper", None),
)


class Row(NamedTuple):
    """A row of the table.

    Attributes:
      name: in the ledger: method and preset, @ and the recipe.
      method: the method's resolved specification; None where there is no teacher.
      recipe: a key of `RECIPES`.
      published: the figure that it is held against, or None.
    """

    name: str
    method: Any
    recipe: str
    published: float | None


TEACHER_ROW = Row("teacher", None, "seed", 78.96)


def rows() -> list[Row]:
    """Returns the rows below the teacher's, the students', in their order."""
    return [
        Row(f"{name}@{recipe}", spec, recipe, published)
        for recipe, method, published in _ROWS
        for name, spec in parsed([method])
    ]


def baseline(recipe: str) -> str:
    """Returns the name of the row of the student alone."""
    return f"baseline@{recipe}"
