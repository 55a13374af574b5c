"""Networks whose every answer is known, measured as SavedModels."""

from pathlib import Path

import lookup_models
import numpy as np
import pytest

from components import profile
from components.artifacts import ModelProfile
from components.model_profiler import latency, served
from components.model_profiler.executor import Executor
from kd_trainer import labels as label_names
from kd_trainer import metrics

N = 20
LABELS = np.arange(N) % 10
SUPERCLASSES = LABELS // 5
TEACHER = lookup_models.ranked(LABELS, np.zeros(N, int))
# Wrong on 8 images; on 3 of them the label is not among the first five.
RANKS = np.array([0] * 12 + [1] * 5 + [5, 9, 50])
STUDENT = lookup_models.ranked(LABELS, RANKS)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    return {
        "examples": [lookup_models.examples(folder / "examples", LABELS, SUPERCLASSES)],
        "teacher": [lookup_models.model(folder / "teacher", TEACHER)],
        "baseline": [lookup_models.model(folder / "baseline", TEACHER[::-1])],
        "student": [lookup_models.model(folder / "student", STUDENT)],
    }


def run(inputs, folder: Path) -> str:
    artifact = ModelProfile()
    artifact.uri = str(folder)
    Executor().Do(inputs, {"profile": [artifact]}, {"code_fingerprint": ""})
    return artifact.uri


@pytest.fixture(scope="module")
def written(inputs, tmp_path_factory):
    return run(inputs, tmp_path_factory.mktemp("profile"))


def test_what_is_measured(written, inputs):
    found = profile.read(written)
    assert list(found.networks) == ["teacher", "baseline", "student"]
    student, teacher = found.networks["student"], found.networks["teacher"]
    assert (student.top1, student.top5) == (12 / N, 17 / N)
    assert student.agreement == 12 / N
    assert student.divergence == pytest.approx(metrics.divergence(TEACHER, STUDENT), rel=1e-5)
    # Every image has the same confidence.
    assert student.calibration_error == pytest.approx(abs(12 / N - TEACHER[0].max()), abs=1e-5)
    assert (teacher.top1, teacher.agreement, teacher.divergence) == (1, 1, 0)
    assert teacher.latency_ratio == 1
    assert student.latency_ms > 0
    assert student.parameters == 15
    files = [p for p in Path(inputs["student"][0].uri).rglob("*") if p.is_file()]
    assert student.bytes == sum(len(file.read_bytes()) for file in files)


def test_names_are_cifars(written):
    found = profile.read(written)
    assert found.class_names == list(label_names.FINE_LABELS)
    assert found.superclass_names == list(label_names.COARSE_LABELS)


def test_other_classes_are_known_by_number():
    assert label_names.class_names(3) == ("0", "1", "2")
    assert label_names.superclass_names(3, 2) == ("0", "1")


def test_predictions_are_in_the_order_of_the_ids(written):
    with np.load(Path(written) / ModelProfile.PREDICTIONS_NAME) as found:
        assert set(found) == {"labels", "coarse_labels", "teacher", "baseline", "student"}
        np.testing.assert_array_equal(found["labels"], LABELS)
        np.testing.assert_array_equal(found["coarse_labels"], SUPERCLASSES)
        assert found["labels"].dtype == found["coarse_labels"].dtype == np.int64
        assert found["student"].dtype == np.float32
        for name, table in [
            ("teacher", TEACHER),
            ("baseline", TEACHER[::-1]),
            ("student", STUDENT),
        ]:
            np.testing.assert_allclose(found[name], table, rtol=1e-6)


def test_a_network_that_answers_with_no_number_is_named(inputs, tmp_path):
    broken = STUDENT.copy()
    broken[3:5, 7] = float("nan")
    model = lookup_models.model(tmp_path / "broken", broken)
    with pytest.raises(FloatingPointError, match="'student' answers 2 of 20 test images"):
        run({**inputs, "student": [model]}, tmp_path / "profile")
    assert not (tmp_path / "profile").exists()


@pytest.mark.parametrize("name", ["resnet8", pytest.param("mobilenet_v2", marks=pytest.mark.slow)])
def test_parameters_of_a_saved_model_are_those_of_the_network(name, tmp_path):
    from kd_trainer import export, training
    from kd_trainer.networks import build

    network = build(name, 100)
    export.export(network, str(tmp_path / "champion"), label_names.class_names(100))
    found = served.saved_model(str(tmp_path / "champion"))
    assert found.parameters == training.parameters(network)


def test_networks_are_timed_in_turns():
    calls = []
    found = latency.in_turns({name: lambda name=name: calls.append(name) for name in "abc"})
    rounds = len(found["a"])
    # Each comes after itself, and what the first calls prepare is not timed.
    assert calls[-6 * rounds :] == ["a", "a", "b", "b", "c", "c"] * rounds
    assert len(calls) > 6 * rounds
    assert {values.shape for values in found.values()} == {(rounds,)}
