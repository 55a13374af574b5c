import inspect
import json
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from kd_trainer import methods
from kd_trainer.errors import ConfigError
from kd_trainer.methods import METHODS, Method, Setting, Step, create, method_class
from kd_trainer.schedules import SCHEDULES

PRESETS = [(name, preset) for name in METHODS for preset in method_class(name).PRESETS]
every_preset = pytest.mark.parametrize(("name", "preset"), PRESETS)


@pytest.mark.parametrize("name", METHODS)
def test_a_row_of_the_table_is_a_method(name: str) -> None:
    cls = method_class(name)
    assert issubclass(cls, Method)
    assert cls.PRESETS
    document = inspect.getdoc(sys.modules[cls.__module__])
    for preset in cls.PRESETS:
        assert f"`{preset}`" in document


@every_preset
def test_a_preset_makes_sound_stages(name: str, preset: str) -> None:
    method = create({"name": name, "preset": preset})
    assert method.preset == preset
    stages = method.stages(20)
    assert len({stage.name for stage in stages}) == len(stages)
    for stage in stages:
        assert stage.epochs >= 1
        assert stage.schedule is None or stage.schedule in SCHEDULES
        # Something is minimised.
        assert stage.task_weight > 0 or stage.weights


def test_the_first_preset_is_the_default() -> None:
    assert create({"name": "soft_logits"}).preset == "crd"
    assert create({"name": "fitnet", "preset": None}).preset == "upstream"


def test_a_hyper_parameter_overrides_the_presets() -> None:
    config = create({"name": "soft_logits", "preset": "seed", "temperature": 5.0}).config
    assert (config.temperature, config.task_weight, config.distillation_weight) == (5.0, 0.7, 0.3)


def test_an_inner_methods_hyper_parameters_override_its_presets() -> None:
    spec = {"name": "logit_standardization", "on": {"temperature": 3.0}}
    on = create(spec).config.on
    assert (on["name"], on["temperature"], on["distillation_weight"]) == ("soft_logits", 3.0, 36.0)
    other = create({**spec, "on": {"name": "dkd", "temperature": 3.0}}).config.on
    assert (other["name"], other["temperature"], other["beta"]) == ("dkd", 3.0, 8.0)


def test_creating_leaves_the_specification_as_it_was() -> None:
    spec = {"name": "soft_logits", "preset": "seed", "temperature": 5.0}
    create(spec)
    assert spec == {"name": "soft_logits", "preset": "seed", "temperature": 5.0}


def test_an_unknown_method_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match=r"'fitnets'\. Did you mean 'fitnet'"):
        create({"name": "fitnets"})


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"'fitnet'.*'papers'.*'paper'.*crd, paper, seed"):
        create({"name": "fitnet", "preset": "papers"})


BAD_VALUES = {
    "unknown": ("soft_logits", "temprature", 4.0),
    "temperature 0": ("soft_logits", "temperature", 0.0),
    "temperature below 0": ("fitnet", "temperature", -1.0),
    "negative weight": ("soft_logits", "distillation_weight", -0.1),
    "negative task weight": ("soft_logits", "task_weight", -0.1),
    "not a number": ("soft_logits", "temperature", "hot"),
    "no taps": ("fitnet", "taps", ()),
    "reduction": ("fitnet", "reduction", "max"),
    "connector": ("fitnet", "connector", "never"),
    "hint weight": ("fitnet", "hint_weight", 0.0),
    "hint epochs": ("fitnet", "hint_epochs", -0.5),
}


@pytest.mark.parametrize("case", BAD_VALUES)
def test_a_bad_hyper_parameter_is_refused_by_its_name(case: str) -> None:
    name, parameter, value = BAD_VALUES[case]
    with pytest.raises(ValidationError) as refusal:
        create({"name": name, parameter: value})
    [error] = refusal.value.errors()
    assert error["loc"] == (parameter,)


def test_soft_logits_has_one_stage() -> None:
    [stage] = create({"name": "soft_logits", "preset": "crd"}).stages(30)
    assert (stage.name, stage.epochs, stage.task_weight) == ("distil", 30, 0.1)
    assert stage.weights == {"kl": pytest.approx(14.4)}
    assert stage.student_taps == stage.teacher_taps == ("logits",)


@pytest.mark.parametrize("preset", ["upstream", "seed"])
def test_fitnet_of_the_seed_learns_hints_and_then_the_task_alone(preset: str) -> None:
    hints, task = create({"name": "fitnet", "preset": preset}).stages(100)
    assert (hints.name, hints.epochs, hints.task_weight) == ("hint", 40, 0.0)
    assert hints.student_taps == hints.teacher_taps == ("stage1", "stage2", "stage3")
    assert hints.schedule == "constant"
    assert hints.weights == {"hint": 1.0}
    assert (task.name, task.epochs, task.task_weight) == ("task", 100, 1.0)
    assert task.schedule is None
    assert not task.teacher_taps
    assert not task.weights


def test_fitnet_of_the_paper_ends_in_soft_logits_whose_weight_falls() -> None:
    hints, distil = create({"name": "fitnet", "preset": "paper"}).stages(50)
    assert (hints.epochs, hints.student_taps, hints.weights) == (20, ("stage2",), {"hint": 0.5})
    assert (distil.name, distil.epochs, distil.task_weight) == ("distil", 50, 1.0)
    assert distil.student_taps == distil.teacher_taps == ("logits",)
    weight = distil.weights["kl"]
    assert [weight(epoch) for epoch in (0, 7, 49)] == pytest.approx([4, 4 - 3 / 7, 1])
    logits = np.array([[1.0, -2.0, 0.5]]), np.array([[0.0, 3.0, 0.0]])
    found = distil.terms(Step({"logits": logits[0]}, {"logits": logits[1]}, np.array([0])))["kl"]
    soft = [np.exp(z / 3) / np.exp(z / 3).sum() for z in logits]  # T = 3
    assert float(found) == pytest.approx((soft[1] * np.log(soft[1] / soft[0])).sum(), rel=1e-5)


def test_fitnet_of_crd_has_one_stage() -> None:
    [stage] = create({"name": "fitnet", "preset": "crd"}).stages(50)
    assert (stage.name, stage.epochs, stage.task_weight) == ("distil", 50, 1.0)
    assert (stage.student_taps, stage.weights) == (("stage2",), {"hint": 100.0})


def test_a_short_run_still_has_a_hint_stage() -> None:
    assert [stage.epochs for stage in create({"name": "fitnet"}).stages(1)] == [1, 1]


def test_fitnets_connectors_stand_where_the_preset_has_them() -> None:
    narrow = {"stage1": (8, 8, 4), "stage2": (4, 4, 8), "stage3": (2, 2, 16)}
    wide = narrow | {"stage2": (4, 4, 12)}
    seed, paper = (create({"name": "fitnet", "preset": preset}) for preset in ("seed", "paper"))
    same, wider = (Setting(narrow, teacher, None, None) for teacher in (narrow, wide))
    assert not seed.adapters(same)
    assert list(seed.adapters(wider)) == ["stage2"]
    adapters = paper.adapters(same)
    assert list(adapters) == ["stage2"]
    assert adapters["stage2"](np.zeros((1, 4, 4, 8))).shape == (1, 4, 4, 8)


def test_a_text_stands_for_a_method():
    resolved = methods.resolve({"name": "fitnet", "preset": "paper"})
    assert methods.chosen("fitnet", "paper") == resolved
    assert methods.chosen("{name: fitnet, preset: paper}") == resolved
    assert methods.chosen(json.dumps(resolved)) == resolved
    # The preset is another one; what is set beside it stays.
    found = methods.chosen('{"name": "fitnet", "preset": "crd", "hint_weight": 7}', "paper")
    assert found == {**resolved, "hint_weight": 7}
    assert methods.chosen("[fitnet, rkd]") == methods.resolve([{"name": "fitnet"}, {"name": "rkd"}])


@pytest.mark.parametrize("name", methods.METHODS)
def test_what_is_not_the_presets_own_says_it_all(name):
    for preset in methods.method_class(name).PRESETS:
        resolved = methods.resolve({"name": name, "preset": preset})
        own = methods.own_part(resolved)
        assert own == {"name": name, "preset": preset}
        assert methods.chosen(json.dumps(own)) == resolved


def test_what_differs_from_the_preset_is_kept():
    spec = [{"name": "soft_logits", "temperature": 3}, {"name": "rkd", "weight": 1e-5}]
    resolved = methods.resolve(spec)
    own = methods.own_part(resolved)
    assert set(own[0]) == {"name", "preset", "temperature", "weight"}
    assert methods.chosen(json.dumps(own)) == resolved
