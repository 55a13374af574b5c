"""The rows of the full-scale table, in the order in which they are run, with published figures.

Recipes, methods and figures are those of the presets in `pipeline/presets`, which name their
sources: top-1 test accuracies of the last epoch in %, on resnet32x4 -> resnet8x4 and CIFAR-100.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from benchmarks.accuracy.__main__ import rows as parsed
from kd_trainer.recipe import Recipe
from pipeline import presets

TEACHER, STUDENT = "resnet32x4", "resnet8x4"
BEST_PUBLISHED = 78.28  # MLKD with standardised logits, sunshangquan/logit-standardization-KD

# Presets that are tables, in their order, and whose recipe each has.
_TABLES = {"seed": "seed", "upstream": "seed", "mdistiller": "crd", "crd": "crd"}
# Run beside a table's rows, without a figure; of `fitnet/seed`, the preset `seed` says why.
_UNPUBLISHED = {
    "seed": ["jacobian_matching/paper", "fitnet/seed"],
    "crd": ["review_kd/paper", "dist/paper", "overhaul/paper"],
}
_BASELINE = "baseline"

RECIPES = {
    name: Recipe.model_validate(presets.read(name)["recipe"])
    for name in dict.fromkeys(_TABLES.values())
}


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


def _figures(table: str) -> dict[str, float]:
    return presets.read(table)["published"]["accuracy"]


TEACHER_ROW = Row("teacher", None, "seed", _figures("seed")["teacher"])


def rows() -> list[Row]:
    """Returns the rows below the teacher's, the students', in their order."""
    return [*_rows()]


def _rows() -> Iterator[Row]:
    begun = set()
    for table, recipe in _TABLES.items():
        if recipe not in begun:
            begun.add(recipe)
            yield Row(baseline(recipe), None, recipe, _figures(recipe)[_BASELINE])
        named = [*presets.read(table)["compare"]["methods"], *_UNPUBLISHED.get(table, [])]
        for name, spec in parsed(named):
            yield Row(f"{name}@{recipe}", spec, recipe, _figures(table).get(name))


def baseline(recipe: str) -> str:
    """Returns the name of the row of the student alone."""
    return f"{_BASELINE}@{recipe}"
