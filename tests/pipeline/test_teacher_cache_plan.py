"""What of a teacher's cache is refused before anything runs."""

import pytest

from components.cifar100_example_gen.sample import SAMPLE
from kd_trainer.errors import ConfigError
from pipeline import config, plan


def make(workdir, *overrides):
    return plan.make(config.load("quick", overrides), workdir, str(SAMPLE))


@pytest.mark.parametrize("method", ["fitnet", "dml"])
def test_a_method_whose_teacher_cannot_be_kept(method, tmp_path):
    with pytest.raises(ConfigError, match=r"cache_gigabytes is 1, but nothing.*Set it to 0"):
        make(tmp_path, "teacher.cache_gigabytes=1", f"method={method}")


def test_a_distributed_training(tmp_path):
    with pytest.raises(ConfigError, match=r"cache_gigabytes is 1 and recipe\.distribution"):
        make(tmp_path, "teacher.cache_gigabytes=1", "recipe.distribution=mirrored")
