"""What a comparison prints: few columns, from the files that have them all."""

import io

from rich.console import Console

from components.artifacts import ComparisonTable
from components.leaderboard.table import Leaderboard, comma_separated, markdown
from components.leaderboard.trials import Trial, rows
from pipeline import comparison_table

FOUND = {
    "teacher": (0.80,),
    "baseline": (0.50, 0.52, 0.51),
    "logit_standardization": (0.60, 0.62, 0.61),
    "rkd": (0.601, 0.618, 0.608),
    "dml": (0.505, 0.515, 0.512),
}


def shown(folder, trials, published=None):
    found = [
        Trial(
            row,
            row,
            seed,
            accuracy,
            last=None,
            best=None,
            curve=(),
            seconds=1.0,
            published=(published or {}).get(row),
        )
        for row, accuracies in FOUND.items()
        for seed, accuracy in enumerate(accuracies[:trials])
    ]
    board = Leaderboard(rows(found), "their README" if published else "")
    (folder / ComparisonTable.CSV_NAME).write_text(comma_separated(board), encoding="utf-8")
    (folder / ComparisonTable.MARKDOWN_NAME).write_text(markdown(board), encoding="utf-8")
    console = Console(file=io.StringIO(), width=100, color_system=None)
    comparison_table.show(console, folder)
    return console.file.getvalue()


def cells(text):
    lines = [line for line in text.splitlines() if line.startswith("│")]
    return {
        row: rest for row, *rest in ([c.strip() for c in x.strip("│").split("│")] for x in lines)
    }


def test_a_row_says_what_is_chance(tmp_path):
    text = shown(tmp_path, 3)
    found = cells(text)
    assert list(found) == ["teacher", "baseline", "logit_standardization", "rkd", "dml"]
    assert found["teacher"] == ["80.00", "", "", ""]
    assert found["baseline"] == ["51.00 ± 1.00", "", "63.7%", ""]
    assert found["logit_standardization"] == ["61.00 ± 1.00", "+10.00 ± 0.00", "76.2%", "best"]
    assert found["rkd"] == ["60.90 ± 0.85", "+9.90 ± 0.17", "76.1%", "within noise"]
    assert found["dml"][-1] == "less"
    assert "Not better than the baseline by the same test: dml." in text
    assert f"{tmp_path}/leaderboard.html" in text


def test_it_fits_a_terminal(tmp_path):
    table = shown(tmp_path, 3).split("The best mean")[0]
    assert max(map(len, table.splitlines())) <= 100
    assert "…" not in table


def test_of_one_trial_there_is_the_difference_alone(tmp_path):
    text = shown(tmp_path, 1)
    assert cells(text)["rkd"] == ["60.10", "+10.10", "75.1%", "best"]
    assert cells(text)["dml"] == ["50.50", "+0.50", "63.1%", "-9.60"]
    assert "nothing can be said of what is chance" in text


def test_published_figures_stand_before_ours(tmp_path):
    text = shown(tmp_path, 3, {"rkd": 0.734})
    assert cells(text)["rkd"][:2] == ["73.40", "60.90 ± 0.85"]
    assert cells(text)["dml"][0] == ""
    assert "Original figures: their README." in text
    table = text.split("The best mean")[0]
    assert max(map(len, table.splitlines())) <= 100
