"""Which student of a comparison is passed on."""

import json
from pathlib import Path
from typing import Any

import pytest
from tfx.types import standard_artifacts

from components.artifacts import ComparisonTable, DistillationSummary
from components.best_student.executor import Executor

KINDS = {
    "model": standard_artifacts.Model,
    "model_run": standard_artifacts.ModelRun,
    "summary": DistillationSummary,
}
ROWS = {"rkd_0": "rkd", "rkd_1": "rkd", "dml_0": "dml", "dml_1": "dml"}


def artifact(kind: type, folder: Path, files: dict[str, str]) -> Any:
    made = kind()
    made.uri = str(folder)
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return made


def chosen(
    folder: Path,
    table: list[str],
    validated: dict[str, float | None],
    rows: dict[str, str | None],
) -> dict[str, Any]:
    """Runs the component's executor on a table's rows and each trial's accuracy on `eval`."""
    lines = "\n".join(["row,accuracy", *(f"{row},0.5" for row in table)])
    given = {"table": [artifact(ComparisonTable, folder / "t", {"leaderboard.csv": lines})]}
    for key, accuracy in validated.items():
        epoch = {} if accuracy is None else {"val_accuracy": accuracy}
        files = {"history.json": json.dumps([{"val_accuracy": 0.99}, epoch]), "of": key}
        for part, kind in KINDS.items():
            given[f"{key}_{part}"] = [artifact(kind, folder / key / part, files)]
        (model,) = given[f"{key}_model"]
        model.set_string_custom_property("method", f"{rows[key] or 'chosen'} (crd)")
        model.set_float_custom_property("test_top1", 0.25)
    made = {part: kind() for part, kind in KINDS.items()}
    for part, one in made.items():
        one.uri = str(folder / "out" / part)
    outputs = {part: [one] for part, one in made.items()}
    Executor().Do(given, outputs, {"rows": json.dumps(rows), "code_fingerprint": ""})
    return made


@pytest.mark.parametrize(
    ("table", "rkd", "expected"),
    [
        (["teacher", "baseline", "rkd", "dml"], (0.5, 0.6), "rkd_1"),
        (["teacher", "baseline", "rkd", "dml"], (0.6, 0.5), "rkd_0"),
        (["baseline", "dml", "rkd"], (0.9, 0.9), "dml_0"),
        (["baseline", "rkd", "dml"], (None, None), "rkd_0"),  # no eval split
    ],
)
def test_the_best_row_and_of_it_the_best_on_eval(table, rkd, expected, tmp_path):
    validated = dict(zip(ROWS, (*rkd, 0.7, 0.7), strict=True))
    made = chosen(tmp_path, table, validated, ROWS)
    for part in KINDS:
        assert (tmp_path / "out" / part / "of").read_text(encoding="utf-8") == expected
        assert made[part].get_string_custom_property("trial") == expected
    model = made["model"]
    assert model.get_string_custom_property("method") == f"{ROWS[expected]} (crd)"
    assert model.get_float_custom_property("test_top1") == 0.25


def test_of_those_that_were_chosen_of_each_seed_the_best_on_eval(tmp_path):
    validated = {"seed_0": 0.6, "seed_1": 0.7, "seed_2": 0.5}
    made = chosen(tmp_path, ["baseline", "rkd"], validated, dict.fromkeys(validated))
    for part in KINDS:
        assert (tmp_path / "out" / part / "of").read_text(encoding="utf-8") == "seed_1"
        assert made[part].get_string_custom_property("trial") == "seed_1"
