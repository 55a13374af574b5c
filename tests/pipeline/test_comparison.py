"""What a comparison is made of."""

from collections import Counter

import pytest

from components.cifar100_example_gen.sample import SAMPLE
from kd_trainer.errors import ConfigError
from kd_trainer.methods import METHODS
from pipeline import comparison, config


def make(workdir, *overrides):
    return comparison.make(config.load("quick", overrides), workdir, str(SAMPLE))


def settings(**given):
    return config.CompareConfig(**given)


def test_all_are_the_methods_at_their_default_presets():
    found = comparison.specifications(settings())
    assert list(found) == list(METHODS)
    assert found["fitnet"] == {**found["fitnet"], "name": "fitnet", "preset": "upstream"}


def test_presets_are_chosen_by_a_slash():
    found = comparison.specifications(settings(methods=["fitnet/seed", "rkd"]))
    assert [(row, spec["preset"]) for row, spec in found.items()] == [
        ("fitnet_seed", "seed"),
        ("rkd", "crd"),
    ]


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("compare.methods=[rdk]", r"no method named 'rdk'.*rkd"),
        ("compare.methods=[rkd/sed]", "sed"),
        ("compare.methods=[rkd,rkd]", "different methods"),
        ("compare.methods=[]", "at least one"),
        ("compare.trials=0", "greater than or equal to 1"),
        ("compare.share_teacher=perhaps", "auto"),
    ],
)
def test_what_cannot_be_compared_is_refused(override, expected, tmp_path):
    with pytest.raises(ConfigError, match=expected):
        make(tmp_path, override)


@pytest.mark.slow
def test_every_method_is_held_against_the_networks(tmp_path):
    with pytest.raises(ConfigError, match="kd_svd"):
        make(tmp_path, "compare.methods=[rkd,kd_svd]", "teacher.network=wrn_16_2")


def nodes(workdir, *overrides):
    from pipeline.graph.comparison import create_comparison

    return {node.id: node for node in create_comparison(make(workdir, *overrides)).components}


BOTH = ("compare.methods=[soft_logits,rkd,dml]", "compare.trials=2")


def test_students_share_teacher_data_and_baseline(tmp_path):
    found = nodes(tmp_path, *BOTH)
    kinds = Counter(node.split(".")[0] for node in found)
    assert kinds["Trainer"] == 1 + 2  # the teacher; a baseline a seed
    assert kinds["ClassroomTrainer"] == 2
    assert {node for node in found if node.startswith("Distill")} == {
        "DistillTrainer.dml.0",
        "DistillTrainer.dml.1",
    }
    assert kinds["TrialEvaluator"] == 1 + 2 + 3 * 2
    assert kinds["Leaderboard"] == 1
    assert "Pusher" not in kinds


@pytest.mark.slow
@pytest.mark.parametrize("override", ["compare.share_teacher=never", "recipe.on_nan=rollback"])
def test_each_may_train_by_itself(override, tmp_path):
    found = nodes(tmp_path, *BOTH, override)
    assert not any(node.startswith("Classroom") for node in found)
    assert sum(node.startswith("DistillTrainer.") for node in found) == 6


def test_the_best_goes_through_the_gate_of_a_run(tmp_path):
    found = nodes(tmp_path, *BOTH, "compare.push_best=true")
    assert {"BestStudent", "BaselineSelector", "StudentGate", "Pusher"} <= set(found)
    assert "BestStudent" in {node.id for node in found["Pusher"].upstream_nodes}
