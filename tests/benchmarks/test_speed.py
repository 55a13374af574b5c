"""What measures, on subjects whose times are known."""

import argparse
import math
import subprocess
import sys
from contextlib import ExitStack

import numpy as np
import pytest

from benchmarks.speed import processes, records, tables
from benchmarks.speed.paired import Rounds
from benchmarks.speed.plainly import without
from benchmarks.speed.subjects import Steps
from components.cifar100_example_gen.sample import SAMPLE
from kd_trainer import distiller, examples, teacher
from kd_trainer.networks import NETWORKS

ADAPTER = """
import sys
print("not an answer")
VERSIONS = "an adapter"

def subjects(student, teacher, batch, method):
    print(student, teacher, file=sys.stderr)
    if method == "none of its own":
        return {}
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
    adapter.write_text(ADAPTER, encoding="utf-8")
    with processes.started(sys.executable, adapter, "small", "large", 8, "rkd") as given:
        versions, subjects = given
        assert versions == "an adapter"
        assert list(subjects) == ["one", "two"]
        assert subjects["one"]() == 4.0
        with pytest.raises(RuntimeError, match=r"adapter\.py ended"):
            subjects["two"]()


def test_a_table_of_peers_leaves_out_who_has_no_such_method(tmp_path, monkeypatch):
    adapter = tmp_path / "adapter.py"
    adapter.write_text(ADAPTER.replace("1 / 0", "0.25 * batch"), encoding="utf-8")
    monkeypatch.setattr(tables.peers, "OURS", adapter)
    given = ["--batches", "8", "--rounds", "1", "--methods", "rkd", "none of its own"]
    found = "\n".join(made(tables.peers, *given))
    assert "| rkd, batch 8 | step, s | over one | over two |" in found
    assert "| two | 2.000 | 0.50 [0.50-0.50] | 1.00 [1.00-1.00] |" in found


def made(table, *arguments: str) -> list[str]:
    """The lines of a table."""
    parser = argparse.ArgumentParser()
    table.add_options(parser)
    return table.lines(parser.parse_args(arguments))


def rows(lines: list[str]) -> list[list[str]]:
    """The cells below a table's head."""
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "|" in line]
    return cells[2:]


SMALL = ("--teacher", "resnet8", "--student", "resnet8", "--batches", "4", "--rounds", "1")


@pytest.mark.slow
def test_a_methods_step_is_held_against_its_bound():
    (row,) = rows(made(tables.methods, *SMALL, "--methods", "kd_svd/crd"))
    assert row[:2] == ["kd_svd/crd", "4"]
    step, bound = float(row[2]), float(row[3])
    assert float(row[4].split()[0]) == pytest.approx(step / bound, rel=0.1)


@pytest.mark.slow
def test_a_step_with_kept_outputs_is_held_against_a_plain_one():
    (row,) = rows(made(tables.cache, *SMALL, "--methods", "soft_logits"))
    assert row[:2] == ["soft_logits", "4"]
    assert all(float(cell.split()[0]) > 0 for cell in row[2:])


@pytest.mark.slow
def test_students_at_once_are_held_against_one_after_the_other(monkeypatch):
    monkeypatch.setattr(tables.together, "STEPS", 2)
    setting = tables.together.Setting("resnet8", "resnet8", ("soft_logits", "rkd"), 4, "float32")
    for taken in (tables.together.at_once(setting), tables.together.by_turns(setting)):
        assert taken.seconds > 0
        assert taken.megabytes > 0


@pytest.mark.slow
def test_choices_are_held_against_what_was_chosen(monkeypatch):
    monkeypatch.setattr(tables.choices, "STEPS", 1)
    # It takes a minute to compile.
    monkeypatch.setitem(tables.choices.CHOICES, "XLA (`jit_compile`)", {})
    found = rows(made(tables.choices, *SMALL))
    assert [row[0] for row in found] == list(tables.choices.CHOICES)
    assert found[0][3] == "1.00 [1.00-1.00]"


def test_what_is_taken_out_comes_back():
    kept = distiller.fused, teacher.folded
    with without("fused", "folded"):
        assert distiller.fused("network") == teacher.folded("network") == "network"
    assert (distiller.fused, teacher.folded) == kept


def test_every_convolution_of_the_student_is_measured():
    found = rows(made(tables.convolutions, "--student", "resnet8", "--batch", "2", "--rounds", "1"))
    # Seven of 3x3, of which two of the same shape at each size, and two shortcuts; two precisions.
    assert sum(int(row[1]) for row in found[:-2]) == 2 * 9
    assert all(float(cell) >= 0 for row in found[:-2] for cell in row[4:])


@pytest.mark.slow
def test_input_is_measured_on_records_of_the_real_images():
    found = rows(made(tables.input_pipeline, "--rounds", "1"))
    assert [row[0] for row in found][:2] == ["read and parse", "crop and flip"]


@pytest.mark.slow
def test_the_plain_dofn_writes_what_examplegen_does(tmp_path):
    ours = records.written(SAMPLE, tmp_path / "ours")
    tables.examplegen._record_by_record(SAMPLE, tmp_path / "plain")
    for split in ("train", "test"):
        one, other = (
            examples.load([str(folder / f"Split-{split}" / "*")])
            for folder in (ours, tmp_path / "plain")
        )
        np.testing.assert_array_equal(one.images, other.images)
        np.testing.assert_array_equal(one.labels, other.labels)


def test_a_quota_of_the_kernels_is_what_a_process_counts_by():
    code = "from kd_trainer import processors; print(processors.available())"
    command = [sys.executable, "-c", code]
    with ExitStack() as stack:
        try:
            with tables.threads.quota(stack):
                limited = subprocess.run(
                    command, capture_output=True, text=True, check=True, encoding="utf-8"
                )
        except OSError as error:
            pytest.skip(f"no cgroup can be made: {error}")
    assert limited.stdout == "1\n"


def test_an_exponent_is_that_of_a_power():
    assert tables.growth.exponent([1, 2, 4], [3, 12, 48]) == pytest.approx(2)
    assert math.isnan(tables.growth.exponent([1, 2], [0, 5]))


@pytest.mark.slow
def test_memory_is_that_of_the_process_that_is_measured():
    lines = made(tables.growth, "--only", "input", "--at", "20000", "40000")
    (row,) = rows(lines)
    small, large = (float(cell.replace(",", "")) for cell in row[4].split(", "))
    assert 20_000 * 3072 / 1e6 < small < large


def test_a_difference_has_the_interval_of_its_pairs():
    # Of 1, 2 and 3: deviation 1, t = 4.303 with two degrees of freedom.
    assert tables.settings.difference([11, 22, 33], [10, 20, 30]) == "+2.00 ± 2.48"


@pytest.mark.slow
def test_settings_are_compared_on_the_same_seeds(monkeypatch):
    for name in ("RECIPE", "TEACHER_RECIPE"):
        recipe = getattr(tables.settings, name).model_copy(update={"epochs": 1})
        monkeypatch.setattr(tables.settings, name, recipe)
    # Compiling takes nearly all of the time.
    monkeypatch.setitem(NETWORKS, "tiny", ("kd_helpers:tiny", {"size": 32, "stages": 3}))
    for name in ("TEACHER", "STUDENT"):
        monkeypatch.setattr(tables.settings, name, "tiny")
    given = ["--classes", "2", "--seeds", "0", "1", "--methods", "soft_logits"]
    found = rows(made(tables.settings, *given))
    assert [row[1] for row in found] == list(tables.settings.SETTINGS)
    assert found[0][4] == "+0.00 ± 0.00"


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_our_own_steps_take_time(precision):
    steps = Steps("resnet8", "resnet8", 4, precision)
    spec = {"name": "soft_logits"}
    for subject in (steps.alone(), steps.teacher_forward(), steps.distillation(spec)):
        assert subject() > 0
