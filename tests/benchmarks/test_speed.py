"""What measures, on subjects whose times are known."""

import sys

import pytest

from benchmarks.speed import processes
from benchmarks.speed.paired import Rounds
from benchmarks.speed.subjects import Steps

ADAPTER = """
import sys
print("not an answer")

def subjects(student, teacher, batch):
    print(student, teacher, file=sys.stderr)
    return {"one": lambda: 0.5 * batch, "two": lambda: 1 / 0}
"""


def series(*seconds):
    given = iter(seconds)
    return lambda: next(given)


def test_ratios_are_those_of_a_round():
    rounds = Rounds(
        {"step": series(9, 2, 3, 8), "a": series(9, 1, 1, 1), "b": series(9, 1, 2, 1)},
        rounds=3,
        warm_ups=1,
    )
    assert rounds.median("step") == 3
    assert rounds.ratio("step", "a") == (3, 2, 8)
    assert rounds.ratio("step", ["a", "b"]) == (1, 1, 4)
    assert str(rounds.ratio("step", "a")) == "3.00 [2.00-8.00]"


def test_every_other_round_goes_backwards():
    ran = []
    subjects = {name: lambda name=name: ran.append(name) or 1.0 for name in "ab"}
    Rounds(subjects, rounds=2, warm_ups=0)
    assert ran == ["a", "b", "b", "a"]


def test_an_adapter_runs_in_a_process_of_its_own(tmp_path):
    adapter = tmp_path / "adapter.py"
    adapter.write_text(ADAPTER)
    with processes.started(sys.executable, adapter, "small", "large", 8) as subjects:
        assert list(subjects) == ["one", "two"]
        assert subjects["one"]() == 4.0
        with pytest.raises(RuntimeError, match=r"adapter\.py ended"):
            subjects["two"]()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_our_own_steps_take_time(precision):
    steps = Steps("resnet8", "resnet8", 4, precision)
    spec = {"name": "soft_logits"}
    for subject in (steps.alone(), steps.teacher_forward(), steps.distillation(spec)):
        assert subject() > 0
