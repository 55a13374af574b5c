import pytest

from kd_trainer.recipe import Recipe
from kd_trainer.schedules import learning_rate

STEPS = 7  # steps an epoch


def rates(name: str, recipe: Recipe, epochs: int, steps: list[int]) -> list[float]:
    schedule = learning_rate(name, recipe, epochs, STEPS)
    return [float(schedule(step)) for step in steps]


def test_step_drops_with_the_first_step_of_the_milestones_epochs() -> None:
    recipe = Recipe(learning_rate=0.1, milestones=(0.3, 0.6, 0.8), drop=0.1)
    ends = [30 * STEPS, 60 * STEPS, 80 * STEPS]
    # Training's first step is step 0.
    last_before = rates("step", recipe, 100, [end - 1 for end in ends])
    first_after = rates("step", recipe, 100, ends)
    assert rates("step", recipe, 100, [0, 100 * STEPS - 1]) == pytest.approx([0.1, 1e-4])
    assert last_before == pytest.approx([0.1, 1e-2, 1e-3])
    assert first_after == pytest.approx([1e-2, 1e-3, 1e-4])


def test_step_has_the_milestones_and_the_drop_of_the_recipe() -> None:
    recipe = Recipe(learning_rate=0.05, milestones=(0.625,), drop=0.2)
    steps = [0, 149 * STEPS, 151 * STEPS, 239 * STEPS]
    assert rates("step", recipe, 240, steps) == pytest.approx([0.05, 0.05, 0.01, 0.01])


def test_step_without_milestones_is_constant() -> None:
    recipe = Recipe(learning_rate=0.3, milestones=())
    assert rates("step", recipe, 5, [0, 17, 34]) == pytest.approx([0.3] * 3)


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_step_of_a_short_run_starts_with_the_recipes_rate_at_most_and_only_falls(
    epochs: int,
) -> None:
    found = rates("step", Recipe(learning_rate=0.1), epochs, list(range(epochs * STEPS)))
    assert 0 < found[0] <= 0.1 + 1e-6
    assert found == sorted(found, reverse=True)


def test_cosine() -> None:
    found = rates("cosine", Recipe(learning_rate=0.2), 4, [0, 7, 14, 21, 28])
    # 0.1 * (1 + cos(pi * done)) at quarters.
    assert found == pytest.approx([0.2, 0.170710678, 0.1, 0.029289322, 0.0], abs=1e-6)


def test_constant() -> None:
    recipe = Recipe(learning_rate=0.2, milestones=(0.5,))
    assert rates("constant", recipe, 4, [0, 14, 27, 28, 1000]) == pytest.approx([0.2] * 5)


@pytest.mark.parametrize("name", ["constant", "step"])
def test_warmup_rises_linearly_to_the_rate(name: str) -> None:
    recipe = Recipe(learning_rate=0.7, warmup_epochs=1, milestones=(0.8,))
    found = rates(name, recipe, 10, [0, 1, 3, 6, 7, 8, 20])
    assert found == pytest.approx([0.1, 0.2, 0.4, 0.7, 0.7, 0.7, 0.7])


def test_warmup_multiplies_the_schedule_it_leads_to() -> None:
    recipe = Recipe(learning_rate=0.2, warmup_epochs=2)
    plain = Recipe(learning_rate=0.2)
    steps = [0, 6, 13, 20]
    shares = [1 / 14, 7 / 14, 1.0, 1.0]
    expected = [
        share * rate for share, rate in zip(shares, rates("cosine", plain, 4, steps), strict=True)
    ]
    assert rates("cosine", recipe, 4, steps) == pytest.approx(expected)


def test_warmup_may_end_within_an_epoch() -> None:
    recipe = Recipe(learning_rate=0.7, warmup_epochs=0.5)
    assert rates("constant", recipe, 4, [0, 1, 2, 3, 4]) == pytest.approx([0.2, 0.4, 0.6, 0.7, 0.7])
