"""What of a teacher's cache is refused before anything runs, and where it lies."""

import pytest

from components.cifar100_example_gen.sample import SAMPLE
from kd_trainer.errors import ConfigError
from pipeline import config, plan


def make(workdir, *overrides):
    return plan.make(config.load("quick", overrides), workdir, str(SAMPLE))


def test_it_lies_in_the_workdir_if_asked_for(tmp_path):
    assert make(tmp_path).teacher_cache_dir == ""
    asked = make(tmp_path, "teacher.cache=true")
    assert asked.teacher_cache_dir == str(tmp_path / "teacher_outputs")


@pytest.mark.parametrize("method", ["fitnet", "dml"])
def test_a_method_whose_teacher_cannot_be_kept(method, tmp_path):
    with pytest.raises(ConfigError, match=r"teacher\.cache is true, but nothing.*cache=false"):
        make(tmp_path, "teacher.cache=true", f"method={method}")


def test_a_distributed_training(tmp_path):
    with pytest.raises(ConfigError, match=r"teacher\.cache is true and recipe\.distribution"):
        make(tmp_path, "teacher.cache=true", "recipe.distribution=mirrored")
