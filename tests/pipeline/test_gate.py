"""The gate against TFX's Evaluator: real SavedModels whose every answer is known."""

import shutil
from pathlib import Path

import lookup_models
import numpy as np
import pytest
from tfx.types import standard_artifacts

from components import decision, gate_bounds, profile
from components.artifacts import GateDecision, ModelProfile
from components.gate_evaluator.executor import Executor as Evaluator
from components.model_profiler.executor import Executor as ModelProfiler
from components.student_gate.executor import Executor as StudentGate
from kd_trainer.labels import COARSE_LABELS
from pipeline.config import GateConfig

# 40 images of each of five superclasses.
SUPERCLASSES = np.repeat(np.arange(5), 40)
LABELS = 2 * SUPERCLASSES
# On how many of them each network is right; the student gains overall and loses on one.
RIGHT = {
    "teacher": [36] * 5,
    "baseline": [32] * 5,
    "student": [34, 34, 31, 34, 34],
    "hopeless": [0] * 5,
}
# Every bound, met exactly: top-1 is 167, 160 and 180 of 200.
EXACT = {
    "min_accuracy": 0.835,
    "min_top5": 0.98,
    "min_change": 0.035,
    "min_relative_change": 0.04375,
    "max_superclass_drop": 0.025,
    "min_teacher_share": 0.8 + 23 / 180,
}


def ranks(right):
    """The label is first where the network is right, else third, of the last four tenth."""
    found = np.concatenate([np.where(np.arange(40) < count, 0, 2) for count in right])
    found[-4:] = 9
    return found


class World:
    """Runs the nodes of the gate; an evaluation that was made is not made again."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.push_directory = str(folder / "serving")
        self.examples = lookup_models.examples(folder / "examples", LABELS, SUPERCLASSES)
        self.models = {
            name: lookup_models.model(folder / name, lookup_models.ranked(LABELS, ranks(right)))
            for name, right in RIGHT.items()
        }
        self.evaluations = {}
        self.profile = self.artifact(ModelProfile, "profile")
        self.infra_blessing = self.artifact(standard_artifacts.InfraBlessing, "infra")
        self.infra_blessing.set_int_custom_property("faults", 0)
        inputs = {name: [self.models[name]] for name in ("teacher", "baseline", "student")}
        ModelProfiler().Do({"examples": [self.examples], **inputs}, {"profile": [self.profile]}, {})

    def artifact(self, artifact_type, name):
        made = artifact_type()
        made.uri = str(self.folder / name)
        return made

    def evaluate(self, gate, reference="baseline", baseline="baseline"):
        key = (gate_bounds.write(gate), reference, baseline)
        if key not in self.evaluations:
            name = f"evaluation-{len(self.evaluations)}"
            evaluation = self.artifact(standard_artifacts.ModelEvaluation, name)
            blessing = self.artifact(standard_artifacts.ModelBlessing, f"{name}-blessing")
            Evaluator().Do(
                {
                    "examples": [self.examples],
                    "model": [self.models["student"]],
                    "baseline_model": [self.models[baseline]],
                },
                {"evaluation": [evaluation], "blessing": [blessing]},
                {"gate": gate_bounds.write(gate), "reference": reference},
            )
            self.evaluations[key] = evaluation
        return self.evaluations[key]

    def judge(self, evaluated=None, baseline="baseline", choice="from_scratch", **bounds):
        """Returns the decision and the blessing; `evaluated` is the evaluations' gate."""
        wanted = GateConfig.model_validate(bounds)
        measured = GateConfig.model_validate(evaluated) if evaluated else wanted
        self.models[baseline].set_string_custom_property("choice", choice)
        self.models[baseline].set_string_custom_property("reason", "a reason")
        inputs = {
            "evaluation": [self.evaluate(measured, baseline=baseline)],
            "profile": [self.profile],
            "infra_blessing": [self.infra_blessing],
            "baseline": [self.models[baseline]],
            "candidate": [self.models["student"]],
        }
        if measured.min_teacher_share is not None:
            inputs["teacher_evaluation"] = [self.evaluate(measured, "teacher", "teacher")]
        shutil.rmtree(self.folder / "decided", ignore_errors=True)
        written = self.artifact(GateDecision, "decided/decision")
        blessing = self.artifact(standard_artifacts.ModelBlessing, "decided/blessing")
        StudentGate().Do(
            inputs,
            {"decision": [written], "blessing": [blessing]},
            {"gate": gate_bounds.write(wanted), "push_directory": self.push_directory},
        )
        made = decision.read(written.uri)
        assert written.get_int_custom_property("blessed") == made.blessed
        assert written.get_string_custom_property("refused_by") == ", ".join(made.refused_by)
        return made, blessing


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("gate"))


def refused(made):
    return [(bound.key, bound.slice) for bound in made.bounds if not bound.passed]


def test_every_bound_may_be_met_exactly(world):
    made, blessing = world.judge(**EXACT)
    assert refused(made) == []
    assert made.blessed
    assert blessing.get_int_custom_property("blessed") == 1
    assert blessing.get_string_custom_property("current_model") == world.models["student"].uri
    assert [path.name for path in Path(blessing.uri).iterdir()] == ["BLESSED"]
    # Values are in the bound's own unit, whoever compared.
    found = {bound.key: bound for bound in made.bounds if bound.slice == "overall"}
    for name in set(EXACT) - {"max_superclass_drop"}:
        bound = found[f"gate.{name}"]
        assert bound.value == pytest.approx(EXACT[name], abs=1e-6)
        assert (bound.judge, bound.subject, bound.is_minimum) == ("TFMA", "student", True)
    drops = {b.slice: b.value for b in made.bounds if b.key == "gate.max_superclass_drop"}
    expected = dict.fromkeys(COARSE_LABELS[:5], -0.05) | {COARSE_LABELS[2]: 0.025}
    assert drops == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", EXACT)
def test_a_bound_that_is_missed_refuses_and_no_other_does(world, name):
    tighter = EXACT[name] + (-1e-4 if name.startswith("max_") else 1e-4)
    made, blessing = world.judge(**{**EXACT, name: tighter})
    slice_name = COARSE_LABELS[2] if name == "max_superclass_drop" else "overall"
    assert refused(made) == [(f"gate.{name}", slice_name)]
    assert not made.blessed
    assert blessing.get_int_custom_property("blessed") == 0
    assert [path.name for path in Path(blessing.uri).iterdir()] == ["NOT_BLESSED"]


def test_two_bounds_on_one_metric_are_told_apart(world):
    made, _ = world.judge(min_change=0.5, min_relative_change=0, min_accuracy=0.9)
    assert refused(made) == [("gate.min_accuracy", "overall"), ("gate.min_change", "overall")]


def test_without_a_bound_on_accuracy_the_budgets_decide(world):
    made, _ = world.judge(max_bytes=10_000_000)
    assert made.blessed
    made, _ = world.judge(max_bytes=10)
    assert refused(made) == [("gate.max_bytes", "overall")]


@pytest.mark.slow
def test_a_share_of_nothing_passes_no_bound(world):
    made, _ = world.judge(baseline="hopeless", min_relative_change=-1, min_change=0)
    assert refused(made) == [("gate.min_relative_change", "overall")]
    assert np.isnan(next(b.value for b in made.bounds if not b.passed))


@pytest.mark.slow
def test_rebaseline_sets_the_champion_aside_and_says_so(world):
    strict = {"min_accuracy": 0.5, "min_change": 0.5, "max_superclass_drop": -0.5}
    assert not world.judge(choice="champion", **strict)[0].blessed
    made, _ = world.judge(choice="champion", rebaseline=True, **strict)
    assert made.blessed
    assert (made.rebaseline, made.baseline) == (True, "champion")
    assert {bound.key for bound in made.bounds} == {
        "gate.min_accuracy",
        "not_withdrawn",
        "model_check",
    }


@pytest.mark.parametrize(
    ("evaluated", "min_change"),
    [
        pytest.param({"min_accuracy": 0.99}, -1, marks=pytest.mark.slow),
        pytest.param({"max_bytes": 1}, -1, marks=pytest.mark.slow),
        ({"min_change": 1, "min_accuracy": 0.99}, 1),  # which both refuse
    ],
)
def test_an_evaluation_by_other_bounds_is_no_ground_for_a_decision(world, evaluated, min_change):
    with pytest.raises(RuntimeError, match="not that of the bounds min_change"):
        world.judge(evaluated=evaluated, min_change=min_change)
    assert not (world.folder / "decided").exists()


@pytest.mark.slow
def test_a_tflite_model_that_is_worse_is_refused(world, monkeypatch, tmp_path):
    measured = profile.read(world.profile.uri)
    networks = measured.networks | {"tflite int8": measured.networks["baseline"]}
    profile.write(measured.model_copy(update={"networks": networks}), str(tmp_path))
    with np.load(Path(world.profile.uri) / ModelProfile.PREDICTIONS_NAME) as predictions:
        np.savez(
            tmp_path / ModelProfile.PREDICTIONS_NAME,
            **predictions,
            **{"tflite int8": predictions["baseline"]},
        )
    monkeypatch.setattr(world.profile, "uri", str(tmp_path))
    made, _ = world.judge(min_accuracy=0.82)
    bounds = [b for b in made.bounds if b.key == "gate.min_accuracy"]
    assert [(b.subject, b.value, b.passed, b.judge) for b in bounds] == [
        ("student", pytest.approx(0.835), True, "TFMA"),
        ("tflite int8", 0.8, False, "budget"),
    ]
    assert not made.blessed


@pytest.mark.slow
def test_a_version_that_was_withdrawn_is_refused(world):
    withdrawn = Path(world.push_directory) / ".withdrawn" / "17"
    shutil.copytree(Path(world.models["student"].uri) / "Format-Serving", withdrawn)
    try:
        made, _ = world.judge(min_accuracy=0)
    finally:
        shutil.rmtree(world.push_directory)
    assert refused(made) == [("not_withdrawn", "overall")]
