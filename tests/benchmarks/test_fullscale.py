"""What of the benchmark at full scale trains nothing; test_scanned.py has the rest."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.accuracy.ledger import Ledger
from benchmarks.fullscale import carrying, kept_teacher, packed, table
from benchmarks.fullscale.deadline import Deadline, OutOfTimeError
from benchmarks.fullscale.files import Files
from benchmarks.fullscale.rows import RECIPES, TEACHER_ROW, Row, rows
from kd_trainer.errors import UserError
from kd_trainer.networks import build

ROOT = Path(__file__).parents[2]
FACTS = {"recipe": {"precision": "float32"}, "device": "a device"}


def files(folder: Path) -> Files:
    (folder / "state").mkdir(parents=True, exist_ok=True)
    return Files(folder / "runs.jsonl", folder / "teacher.npz", folder / "state")


def test_the_rows_are_the_seeds_first_and_each_is_a_method_that_there_is():
    names = [row.name for row in rows()]
    assert names[0] == "baseline@seed"
    assert [name.split("/")[0] for name in names[1:10]] == [
        "soft_logits",
        "fitnet",
        "attention_transfer",
        "fsp",
        "dml",
        "kd_svd",
        "activation_boundary",
        "rkd",
        "jacobian_matching",
    ]
    assert len(set(names)) == len(names)
    assert {row.recipe for row in rows()} == set(RECIPES)
    assert "baseline@crd" in names


def test_crds_rates_drop_where_repdistiller_has_it():
    recipe = RECIPES["crd"]
    assert [round(share * recipe.epochs) for share in recipe.milestones] == [150, 180, 210]


@pytest.mark.parametrize("size", [0, 3, 4, 4097])
def test_what_is_packed_comes_out_of_it(size):
    content = np.random.default_rng(size).bytes(size)
    assert packed.unpack(packed.pack(content)) == content


def test_weights_pack_to_less_than_they_compress_to():
    import zlib

    weights = np.random.default_rng(0).normal(0, 0.05, 100_000).astype("float32").tobytes()
    assert len(packed.pack(weights)) < 0.87 * len(weights) < len(zlib.compress(weights))


def test_a_state_travels_in_pieces_and_arrives_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(carrying, "_FETCHED_FILE", 1000)
    there, here, again = (files(tmp_path / name) for name in ("there", "here", "again"))
    there.ledger.write_text('{"row": "teacher"}\n', encoding="utf-8")
    there.teacher.write_bytes(b"weights")
    state = np.random.default_rng(0).bytes(2500)
    (there.state / "abc.npz").write_bytes(state)
    (here.state / "old.npz.state").write_bytes(b"of a run that is finished")
    out = tmp_path / "out"
    out.mkdir()

    carrying.hand_back(there, teacher_is_new=True, out=out)
    assert len(list(out.iterdir())) == 5
    assert max(path.stat().st_size for path in out.iterdir()) <= 1000
    carrying.collect(out, here)
    assert here.ledger.read_text(encoding="utf-8") == there.ledger.read_text(encoding="utf-8")
    assert here.teacher.read_bytes() == b"weights"
    assert [path.name for path in here.state.iterdir()] == ["abc.npz.state"]

    (again.state / "abc.npz.state").write_bytes((here.state / "abc.npz.state").read_bytes())
    carrying.take_in(again)
    assert [path.name for path in again.state.iterdir()] == ["abc.npz"]
    assert (again.state / "abc.npz").read_bytes() == state


def test_a_state_that_cannot_be_fetched_is_told_and_the_ledger_is_there(tmp_path, monkeypatch):
    monkeypatch.setattr(carrying, "_FETCHED", 100)
    there = files(tmp_path / "there")
    there.ledger.write_text("{}\n", encoding="utf-8")
    (there.state / "abc.npz").write_bytes(np.random.default_rng(0).bytes(2500))
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(UserError, match="begins anew"):
        carrying.hand_back(there, teacher_is_new=False, out=out)
    assert [path.name for path in out.iterdir()] == ["runs.jsonl"]


def test_nothing_is_collected_of_a_call_that_was_killed(tmp_path):
    here = files(tmp_path / "here")
    (here.state / "abc.npz.state").write_bytes(b"state")
    with pytest.raises(UserError, match="did not come to its end"):
        carrying.collect(tmp_path, here)
    assert (here.state / "abc.npz.state").exists()


@pytest.mark.slow  # asks the package index for wheels of another Python
def test_the_parts_hold_data_packages_and_state_and_fit_into_a_call(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    tree = sum(path.stat().st_size for path in carrying._tree())
    monkeypatch.setattr(carrying, "_CARRIED_A_CALL", tree + 2_000_000)
    archive = tmp_path / "cifar.tar.gz"
    archive.write_bytes(np.random.default_rng(0).bytes(3_000_000))
    here = files(tmp_path / "here")
    (here.state / "abc.npz.state").write_bytes(b"state")
    parts = carrying.pack(archive, here, tmp_path / "parts", "3.12")
    pieces = [piece for part in parts for piece in part.iterdir()]
    assert len(pieces) == len(parts) > 2
    assert max(piece.stat().st_size for piece in pieces) <= 2_000_000
    (tmp_path / "whole").write_bytes(b"".join(piece.read_bytes() for piece in pieces))
    subprocess.run(["tar", "xzf", "whole"], cwd=tmp_path, check=True)
    assert (tmp_path / "data" / archive.name).read_bytes() == archive.read_bytes()
    assert (tmp_path / "state" / "abc.npz.state").read_bytes() == b"state"
    compiled = [path.name for path in (tmp_path / "site" / "pydantic_core").glob("*.so")]
    assert ["312" in name for name in compiled] == [True]


def test_the_kept_teacher_is_the_one_that_goes_on(tmp_path):
    teacher = build("resnet8", 10)
    kept_teacher.keep(teacher, tmp_path / "teacher.npz")
    again = build("resnet8", 10)
    kept_teacher.restore(again, tmp_path / "teacher.npz")
    for one, other in zip(teacher.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    small = sum(weight.size for weight in teacher.get_weights()) * 2
    assert (tmp_path / "teacher.npz").stat().st_size < 1.5 * small


def test_a_teacher_beyond_float16_is_refused(tmp_path):
    teacher = build("resnet8", 10)
    weights = teacher.get_weights()
    weights[0][0] = 1e6
    teacher.set_weights(weights)
    with pytest.raises(FloatingPointError, match="beyond float16"):
        kept_teacher.keep(teacher, tmp_path / "teacher.npz")
    assert not (tmp_path / "teacher.npz").exists()


def test_the_first_epoch_is_run_whatever_the_budget():
    deadline = Deadline(0)
    deadline.check()
    deadline.on_epoch_begin(0)
    with pytest.raises(OutOfTimeError):
        deadline.on_epoch_end(0)
    with pytest.raises(OutOfTimeError):
        deadline.check()


def test_an_epoch_goes_on_while_another_one_fits():
    deadline = Deadline(1000)
    deadline.on_epoch_begin(0)
    deadline.on_epoch_end(0)
    deadline.check()


def test_the_table_holds_ours_beside_the_original(tmp_path):
    ledger = Ledger(tmp_path / "runs.jsonl")
    shown = [
        Row("baseline@seed", None, "seed", 71.76),
        Row("rkd/seed@seed", {"name": "rkd", "preset": "seed"}, "seed", 73.4),
        Row("dist/paper@seed", {"name": "dist", "preset": "paper"}, "seed", None),
    ]
    for row, accuracies in [
        (TEACHER_ROW, [0.79]),
        (shown[0], [0.70, 0.72]),
        (shown[1], [0.71, 0.75]),
    ]:
        for seed, accuracy in enumerate(accuracies):
            history = [{"val_accuracy": accuracy + 0.01}, {"val_accuracy": accuracy}]
            ledger.add(row.name, seed, row.name, history, 120, facts=FACTS)
    ledger.add("dist/paper@seed", 0, "dist", [], 0, "the loss is not finite", FACTS)
    lines = table.render(ledger, shown, rehearsed=False).splitlines()
    cells = {
        line.split(" | ")[0].strip("| "): [cell.strip() for cell in line.split("|")[2:-1]]
        for line in lines
        if line.startswith("| ")
    }
    assert cells["teacher"][:2] == ["78.96", "79.00"]
    assert cells["baseline@seed"] == (
        ["71.76", "71.00", "1.41", "72.00", "2", "", "2.0", "float32, a device"]
    )
    # 71 and 75 against 70 and 72
    assert cells["rkd/seed@seed"][:6] == ["73.40", "73.00", "2.83", "74.00", "2", "+2.00 ± 1.41"]
    assert cells["dist/paper@seed"][:2] == ["-", "1 diverged"]


def test_what_was_not_run_has_no_figure(tmp_path):
    text = table.render(Ledger(tmp_path / "runs.jsonl"), rows(), rehearsed=False)
    lines = [line for line in text.splitlines() if re.match(r"\| \S+@", line)]
    assert len(lines) == len(rows())
    for line in lines:
        assert line.split("|")[3:-1] == [" not run ", *([" "] * 2), " 0 ", *([" "] * 3)]


@pytest.mark.slow
def test_a_command_that_cannot_run_says_what_to_mend(tmp_path):
    def told(*arguments: str, backend: str) -> str:
        ended = subprocess.run(
            [sys.executable, "-m", "benchmarks.fullscale", *arguments, "--folder", str(tmp_path)],
            env={"KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", "PATH": "/usr/bin:/bin"},
            cwd=ROOT,
            capture_output=True,
            text=True,
            encoding="utf-8",
        )
        assert ended.returncode == 2, ended.stderr
        return ended.stderr

    assert "Set KERAS_BACKEND=jax" in told("train", "--rehearse", backend="tensorflow")
    assert "--data" in told("train", backend="jax")
    unknown = told("train", "--rehearse", "--rows", "rkd/sed@seed", backend="jax")
    assert "rkd/seed@seed" in unknown


def test_a_finished_run_keeps_what_it_was(tmp_path):
    ledger = Ledger(tmp_path / "runs.jsonl")
    ledger.add("a", 0, "a", [{"val_accuracy": 0.5}], 1, facts=FACTS)
    [line] = (tmp_path / "runs.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["device"] == "a device"
