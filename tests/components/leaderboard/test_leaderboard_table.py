import csv

import pytest

from components.leaderboard import page
from components.leaderboard.table import Leaderboard, comma_separated, markdown
from components.leaderboard.trials import Trial, rows

FOUND = {
    "teacher": (0.80,),
    "baseline": (0.50, 0.52, 0.51),
    "soft_logits": (0.60, 0.62, 0.61),
    # A tie with soft_logits, and a method that does nothing.
    "rkd": (0.601, 0.618, 0.608),
    "dml": (0.505, 0.515, 0.512),
}


def board(found=FOUND, published=None):
    trials = [
        Trial(
            row,
            f"{row} (crd)",
            seed,
            accuracy,
            last=None if row == "teacher" else accuracy + 0.005,
            best=None if row == "teacher" else accuracy + 0.01,
            curve=(accuracy,),
            seconds=10.0 + seed,
            published=(published or {}).get(row),
        )
        for row, accuracies in found.items()
        for seed, accuracy in enumerate(accuracies)
    ]
    return Leaderboard(rows(trials), "their README" if published else "")


def cells(text):
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return {line.split(" | ")[0][2:]: line.strip("| ").split(" | ") for line in lines[1:]}


def test_the_markdown_has_a_line_of_each():
    found = cells(markdown(board()))
    assert list(found) == ["teacher", "baseline", "soft_logits", "rkd", "dml"]
    line = found["soft_logits"]
    assert line[1:7] == ["soft_logits (crd)", "3", "61.00", "1.00", "61.50", "62.00"]
    assert line[7:] == ["+10.00 ± 0.00", "0.000", "", "", "0.762", "11"]
    assert found["rkd"][9:11] == ["-0.10 ± 0.17", "0.423"]
    assert "original" not in markdown(board()).lower()


def test_published_figures_stand_before_ours_with_their_source():
    text = markdown(board(published={"soft_logits": 0.7336, "baseline": 0.725}))
    assert "| trials | original, % | ours, % | deviation |" in text
    found = cells(text)
    assert found["soft_logits"][3:5] == ["73.36", "61.00"]
    assert found["baseline"][3:5] == ["72.50", "51.00"]
    assert found["rkd"][3:5] == ["", "60.90"]
    assert "Original figures: their README." in text


def test_the_page_shows_published_figures_if_there_are_any():
    figure = "<svg></svg>"
    with_figures = page.render(board(published={"soft_logits": 0.7336}), figure)
    assert "original</th>" in with_figures
    assert "73.36" in with_figures
    assert "Original figures: their README." in with_figures
    without = page.render(board(), figure)
    assert "accuracy</th>" in without
    assert "riginal" not in without


def test_it_says_what_is_chance():
    text = markdown(board())
    assert "The best mean is that of soft_logits." in text
    assert "Within noise of it (paired t-test over 3 seeds, 5%): rkd." in text
    assert "Not better than the baseline by the same test: dml." in text


def test_of_one_trial_nothing_is_said():
    text = markdown(board({row: found[:1] for row, found in FOUND.items()}))
    assert "nothing can be said of what is chance" in text
    assert "paired" not in text


def test_the_csv_has_the_numbers_as_they_were_found():
    found = {line["row"]: line for line in csv.DictReader(comma_separated(board()).splitlines())}
    assert float(found["rkd"]["accuracy"]) == pytest.approx(0.609)
    assert float(found["rkd"]["teacher_share"]) == pytest.approx(0.609 / 0.8)
    assert found["teacher"]["gain"] == found["teacher"]["best_epoch"] == ""
    assert float(found["dml"]["gain_p"]) > 0.05
    assert float(found["rkd"]["to_best"]) == pytest.approx(-0.001)
    assert found["soft_logits"]["to_best"] == ""
