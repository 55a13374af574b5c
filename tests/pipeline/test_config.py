import pytest

from kd_trainer import methods
from kd_trainer.errors import ConfigError
from pipeline import config


def test_reference_preset_is_the_seeds_recipe():
    run = config.load("cifar100")
    assert (run.teacher.network, run.student.network) == ("resnet32x4", "resnet8x4")
    recipe = run.recipe
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate) == (100, 128, 0.1)
    assert (recipe.milestones, recipe.drop, recipe.nesterov) == ((0.3, 0.6, 0.8), 0.1, True)
    assert recipe.weight_decay == 5e-4
    assert run.data.eval_fraction == 0
    assert run.teacher.recipe == recipe


def test_overrides():
    run = config.load(
        "quick", ["recipe.epochs=3", "data.limit=10", "name=other", "gate.baseline=from_scratch"]
    )
    assert (run.recipe.epochs, run.data.limit, run.name) == (3, 10, "other")
    assert run.gate.baseline == "from_scratch"


def test_teacher_inherits_the_recipe_and_may_differ():
    run = config.load("quick", ["recipe.batch_size=32", "teacher.recipe.learning_rate=0.05"])
    assert run.teacher.recipe.batch_size == 32
    assert (run.teacher.recipe.learning_rate, run.recipe.learning_rate) == (0.05, 0.1)


def test_method_is_resolved_to_every_hyper_parameter():
    assert config.load("cifar100").method == {
        "name": "soft_logits",
        "preset": "crd",
        "temperature": 4.0,
        "task_weight": 0.1,
        "distillation_weight": 14.4,
    }


def test_another_method_does_not_inherit_the_presets_of_the_first():
    run = config.load("cifar100", ["method.name=fitnet"])
    assert run.method["preset"] == "upstream"
    assert "temperature" in run.method
    assert "distillation_weight" not in run.method


def test_a_method_may_be_given_by_its_name_alone():
    assert config.load("quick", ["method=fitnet"]).method == methods.resolve({"name": "fitnet"})


def test_a_methods_name_goes_with_its_hyper_parameters_in_any_order():
    for overrides in (
        ["method=rkd", "method.angle_weight=7"],
        ["method.angle_weight=7", "method=rkd"],
    ):
        assert config.load("quick", overrides).method == methods.resolve(
            {"name": "rkd", "angle_weight": 7}
        )


def test_a_list_of_methods_is_a_combination_with_every_hyper_parameter_filled_in():
    run = config.load("quick", ["method=[fitnet, {name: soft_logits, weight: 0.5}]"])
    assert [member["name"] for member in run.method] == ["fitnet", "soft_logits"]
    assert [member["weight"] for member in run.method] == [1.0, 0.5]
    assert run.method[1]["temperature"] == 4.0
    assert config.validate(run.model_dump(mode="json")).method == run.method


def test_hyper_parameters_survive_in_any_order():
    run = config.load("cifar100", ["method.hint_weight=7", "method.name=fitnet"])
    assert run.method["hint_weight"] == 7


@pytest.mark.parametrize(
    ("preset", "overrides", "expected"),
    [
        ("quick", ["gate.min_relative_change=.inf"], ["gate.min_relative_change", "inf"]),
        ("quick", ["gate.max_bytes=0"], ["gate.max_bytes", "greater than or equal to 1"]),
        (
            "quick",
            ["gate={rebaseline: true, min_change: 0, max_superclass_drop: 0.1}"],
            ["there is no bound that is not a comparison with the baseline"],
        ),
        ("quick", ["teacher.network=resnet32x"], ["teacher", "'resnet32x4'"]),
        ("cifar100", ["method.preset=papr"], ["preset named 'papr'", "crd, seed"]),
        ("quick", ["method=[soft_logits, fitnets]"], ["method named 'fitnets'", "'fitnet'"]),
        ("cifar100", ["recipe.keep=best"], ["eval_fraction is 0", "recipe.keep"]),
    ],
)
def test_mistakes_are_named(preset, overrides, expected):
    with pytest.raises(ConfigError) as error:
        config.load(preset, overrides)
    for part in expected:
        assert part in str(error.value)


def test_all_mistakes_are_told_at_once():
    with pytest.raises(ConfigError) as error:
        config.load("quick", ["recipe.epochs=0", "gate.min_accuracy=2"])
    assert "recipe.epochs" in str(error.value)
    assert "gate.min_accuracy" in str(error.value)


def test_an_inherited_mistake_is_told_once():
    with pytest.raises(ConfigError) as error:
        config.load("quick", ["recipe.epochs=0", "teacher.recipe={}"])
    assert str(error.value).count("epochs") == 1


def test_a_network_of_the_users_own_takes_the_place_of_the_presets():
    run = config.load("quick", ["teacher.from=mine/big.keras", "teacher.taps.stage1=conv3"])
    assert (run.teacher.network, run.teacher.file) == (None, "mine/big.keras")
    assert run.teacher.taps == {"stage1": "conv3"}
    assert run.teacher.recipe is None
    assert set(run.recipes) == {"recipe"}
    assert (run.teacher.label, run.student.label) == ("big.keras", "resnet8")
    run = config.load("quick", ["student.taps={stage1: a}", "student.from=small.keras"])
    assert (run.student.network, run.student.file) == (None, "small.keras")
    assert run.student.taps == {"stage1": "a"}


def test_a_resolved_configuration_can_be_read_in_again():
    run = config.load("quick", ["teacher.from=big.keras", "student.from=small.keras"])
    document = run.model_dump(mode="json")
    assert (document["teacher"]["from"], document["student"]["from"]) == (
        "big.keras",
        "small.keras",
    )
    assert config.validate(document) == run


def test_another_named_teacher_keeps_the_presets_recipe():
    run = config.load("quick", ["teacher.network=resnet32"])
    assert (run.teacher.network, run.teacher.recipe.epochs) == ("resnet32", 8)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["teacher.from=a.keras", "teacher.taps.stage1=3"], ["teacher.taps.stage1", "3"]),
        (["student.form=a.keras"], ["'student.form'", "'from'"]),
    ],
)
def test_mistakes_about_networks_are_named(overrides, expected):
    with pytest.raises(ConfigError) as error:
        config.load("quick", overrides)
    for part in expected:
        assert part in str(error.value)
