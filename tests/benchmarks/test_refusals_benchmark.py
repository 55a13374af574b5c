from benchmarks.refusals.__main__ import measure
from benchmarks.refusals.table import Refusal, render


def test_a_row_is_what_the_command_says(tmp_path):
    refusal = measure("command line: unknown option", tmp_path, {})
    assert refusal.status == 2
    assert "unrecognized arguments: --epochs 3" in refusal.errors
    assert "| 2 |" in render([refusal])
    assert "unrecognized arguments: --epochs 3" in render([refusal])


def test_the_table_names_the_slowest_and_shows_the_errors_first_line():
    text = render(
        [
            Refusal("archive: a", 2, 1.0, "usage: x\ntfx-distill: a | b `c`\nmore\n"),
            Refusal("image: b", 2, 21.3, f"tfx-distill: {'x' * 500}\n"),
        ]
    )
    assert "2 inputs; the slowest, 'image: b', took 21.3 s" in text
    assert "| archive: a | 2 | 1.0 | `tfx-distill: a \\| b 'c'` |" in text
    assert "more" not in text.partition("|---")[2]
    assert f"{'x' * 100}" in text
    assert "x" * 200 not in text
