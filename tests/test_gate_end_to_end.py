"""The gate in whole runs: one workdir, what is trained is trained once.

Each bound by itself is in `tests/pipeline/test_gate.py`.
"""

import json
import sys

import pytest
from small_runs import SMALL, sets

from pipeline import cli

pytestmark = pytest.mark.slow

# What any student passes, and what none does.
BOUNDS = {
    "gate.min_accuracy": (0, 1),
    "gate.min_top5": (0, 1),
    "gate.min_change": (-1, 1),
    "gate.min_relative_change": (-1, 1000),
    "gate.max_superclass_drop": (1, -1),
    "gate.min_teacher_share": (0, 1000),
    "gate.max_parameters": (10**9, 1000),
    "gate.max_bytes": (10**9, 1000),
    "gate.max_latency_ratio": (10**6, 1e-6),
    "gate.min_agreement": (0, 1),
    "gate.max_divergence": (100, 0),
    "gate.max_calibration_error": (1, 0),
}
# By a value, a change and a slice of TFMA's; by what was profiled; by answers.
ALONE = (
    *("gate.min_accuracy", "gate.min_change", "gate.max_superclass_drop"),
    *("gate.max_bytes", "gate.min_agreement"),
)
PASSED = {key: bound for key, (bound, _) in BOUNDS.items()}


class Gate:
    """Runs the command in this process and reads what `explain` says of the run."""

    def __init__(self, workdir, capfd):
        self.workdir = workdir
        self._capfd = capfd

    def run(self, *arguments, **settings):
        """Returns the exit status and what was printed; `settings` in dicts by key."""
        words = sets({**SMALL, **PASSED, **settings})
        status = cli.main(["run", "--workdir", str(self.workdir), *words, *arguments])
        captured = self._capfd.readouterr()
        return status, captured.out + captured.err

    def explain(self):
        assert cli.main(["explain", "--workdir", str(self.workdir), "--json"]) == 0
        return json.loads(self._capfd.readouterr().out)

    def versions(self):
        return sorted(path.name for path in (self.workdir / "serving" / "quick").glob("[0-9]*"))


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    return tmp_path_factory.mktemp("workdir")


@pytest.fixture
def gate(workdir, capfd, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tfx-distill"])
    return Gate(workdir, capfd)


def refused(decision):
    return {bound["key"] for bound in decision["bounds"] if not bound["passed"]}


def test_1_a_first_run_is_compared_with_from_scratch_and_pushed(gate):
    status, printed = gate.run()
    assert status == 0, printed
    decision = gate.explain()
    assert decision["blessed"]
    assert (decision["baseline"], decision["champion_version"]) == ("from_scratch", "")
    assert {bound["key"] for bound in decision["bounds"]} >= set(BOUNDS)
    assert len(gate.versions()) == 1


@pytest.mark.parametrize("key", ALONE)
def test_2_a_bound_refuses_alone(gate, key):
    before = gate.versions()
    status, printed = gate.run(**{key: BOUNDS[key][1]})
    assert status == 3, printed
    assert f"Refused by {key}: nothing was pushed." in printed
    decision = gate.explain()
    assert refused(decision) == {key}
    assert not decision["blessed"]
    assert gate.versions() == before


def test_3_a_second_student_is_compared_with_the_champion(gate):
    (champion,) = gate.versions()
    status, printed = gate.run(**{"method.name": "fitnet", "gate.min_change": 1})
    assert status == 3, printed
    decision = gate.explain()
    assert (decision["baseline"], decision["champion_version"]) == ("champion", champion)
    assert refused(decision) == {"gate.min_change"}
    (row,) = [line for line in printed.splitlines() if line.startswith("│ baseline")]
    assert f"version {champion}" in row
    assert "83,892" in row  # counted in what is in service
    assert gate.versions() == [champion]


def test_4_rebaseline_pushes_over_the_champion_and_says_so(gate):
    (champion,) = gate.versions()
    strict = {"gate.min_change": 1, "gate.max_superclass_drop": -1}
    status, printed = gate.run("--rebaseline", **{"method.name": "fitnet", **strict})
    assert status == 0, printed
    assert f"Rebaselined: version {champion} is passed over" in printed
    decision = gate.explain()
    assert decision["rebaseline"]
    assert decision["champion_version"] == champion
    assert not set(strict) & {bound["key"] for bound in decision["bounds"]}
    assert len(gate.versions()) == 2


def test_5_budgets_alone_are_a_gate(gate):
    unset = dict.fromkeys(BOUNDS, "null")
    before = gate.versions()
    status, printed = gate.run(**{**unset, "gate.max_parameters": 1000})
    assert status == 3, printed
    assert refused(gate.explain()) == {"gate.max_parameters"}
    assert gate.versions() == before


def test_6_no_bound_at_all_is_refused_before_anything_runs(gate):
    status, printed = gate.run(**dict.fromkeys(BOUNDS, "null"))
    assert status == 2
    assert "there is no bound" in printed
