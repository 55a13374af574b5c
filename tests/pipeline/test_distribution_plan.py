"""What of a distributed training is refused before anything runs."""

import pytest

from components.cifar100_example_gen.sample import SAMPLE
from kd_trainer.errors import ConfigError
from pipeline import config, plan


def make(workdir, *overrides):
    return plan.make(config.load("quick", overrides), workdir, str(SAMPLE))


@pytest.mark.slow
def test_all_trainings_are_distributed_alike_unless_the_teachers_is_not(tmp_path):
    recipes = make(tmp_path, "recipe.distribution=mirrored").config.recipes
    assert {recipe.distribution for recipe in recipes.values()} == {"mirrored"}
    teacher = make(tmp_path, "teacher.recipe.distribution=mirrored").config
    assert (teacher.teacher.recipe.distribution, teacher.recipe.distribution) == (
        "mirrored",
        "none",
    )


@pytest.mark.parametrize("key", ["recipe", "teacher.recipe"])
def test_a_run_is_one_process(key, tmp_path):
    with pytest.raises(ConfigError, match=rf"{key}\.distribution is 'multi_worker'.*'mirrored'"):
        make(tmp_path, f"{key}.distribution=multi_worker")


@pytest.mark.slow
def test_a_method_that_needs_the_whole_batch(tmp_path):
    with pytest.raises(ConfigError, match=r"'mirrored'.*rkd relates the images of a batch"):
        make(tmp_path, "recipe.distribution=mirrored", "method=rkd")
