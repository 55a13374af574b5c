import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from coverage import CoverageData

from benchmarks.mutants import __main__ as command
from benchmarks.mutants import table
from benchmarks.mutants.drawing import DROP, FLIP, GROUPS, SWAP, Mutant, candidates, draw
from benchmarks.mutants.runner import SURVIVED, UNDECIDED, Runner
from benchmarks.mutants.selection import Selection

ROOT = Path(__file__).parents[2]

SUMS = """\
import time

OFFSET = 1 - 1


def least(a, b):
    return a if a < b else b


def total(a, b):
    while a < 0:
        time.sleep(0.01)
    return a + b + OFFSET
"""
TESTS = """\
import os
from pathlib import Path

import pytest

from pkg.sums import least, total


@pytest.fixture
def both():
    return least(1, 2)


def test_least(both):
    assert Path(least.__code__.co_filename).is_relative_to(Path.cwd())
    assert least(1, 2) == 1


class TestTotal:
    def test_zero(self):
        assert total(0, 0) == 0

    @pytest.mark.slow
    def test_sum(self):
        assert total(3, 1) == 4


def test_that_fails_by_itself():
    assert total(1, 0) == 2
"""


def edits(source, operator):
    found = candidates("g", "f", source.encode())
    return [(mutant.before, mutant.after) for mutant in found if mutant.operator == operator]


def test_comparisons_are_flipped():
    assert edits("x = a == b, a != b, a < b, a >= b, a > b, a <= b\n", FLIP) == [
        ("a == b", "a != b"),
        ("a != b", "a == b"),
        ("a < b", "a >= b"),
        ("a >= b", "a < b"),
        ("a > b", "a <= b"),
        ("a <= b", "a > b"),
    ]
    assert edits("x = a in b, a not  in b, a is b, a is not b\n", FLIP) == [
        ("a in b", "a not in b"),
        ("a not in b", "a in b"),
        ("a is b", "a is not b"),
        ("a is not b", "a is b"),
    ]
    assert edits("x = 0 < (a) < (\n    b)\n", FLIP) == [
        ("0 < (a) < ( b)", "0 >= (a) < ( b)"),
        ("0 < (a) < ( b)", "0 < (a) >= ( b)"),
    ]


def test_terms_are_dropped():
    assert edits("x = a + b\n", DROP) == [("a + b", "a"), ("a + b", "b")]
    assert edits("x = 2 * (a - b)\n", DROP) == [("a - b", "a")]
    assert edits("x = (a or b) + c\n", DROP) == [
        ("(a or b) + c", "(a or b)"),
        ("(a or b) + c", "c"),
        ("a or b", "a"),
    ]
    assert edits("x = a and b and c\n", DROP) == [
        ("a and b and c", "a and b"),
        ("a and b and c", "a and c"),
    ]
    assert edits("x += a\n", DROP) == [("x += a", "pass")]
    assert not edits("x = (a  # and so on\n     and b)\n", DROP)


def test_student_and_teacher_are_swapped_where_the_other_is_known():
    function = "def f(student, teacher, student_map, teacher_map, teacher_only):\n"
    assert edits(f"{function}    student = teacher_map\n", SWAP) == [
        ("student = teacher_map", "student = student_map")
    ]
    assert edits(f"{function}    return of_teacher(teacher, teacher=teacher_only)\n", SWAP) == [
        (
            "return of_teacher(teacher, teacher=teacher_only)",
            "return of_teacher(student, teacher=teacher_only)",
        )
    ]
    assert edits("x = stage.student_taps + 1\ny = (stage.teacher_taps)\n", SWAP) == [
        ("x = stage.student_taps + 1", "x = stage.teacher_taps + 1"),
        ("y = (stage.teacher_taps)", "y = (stage.student_taps)"),
    ]
    assert not edits("teacher = student\n", SWAP)
    assert not edits("x = stage.student_taps\n", SWAP)


def test_what_is_not_executed_is_left_alone():
    source = '''\
"""a < b"""
if typing.TYPE_CHECKING:
    x = a < b
def f(student: (a < b), teacher: student = None) -> a + b:
    """a + b"""
    y: a < b
    return f"{a + b}"
'''
    assert not list(candidates("g", "f", source.encode()))


def test_positions_count_bytes_and_lines():
    source = "x = 1\ndef f(y):\n    z = 'ü²'; return y < 2\n".encode()
    [mutant] = candidates("g", "f", source)
    assert mutant.apply(source).decode() == source.decode().replace("<", ">=")
    assert (mutant.line, mutant.lines) == (3, (3, 3))


def test_what_runs_on_import_reaches_the_whole_module():
    source = "def f(y=1 + 1):\n    return y\nclass C:\n    x = 1 < 2\n    z = lambda: 1 < 2\n"
    found = [mutant.lines for mutant in candidates("g", "f", source.encode())]
    assert found == [(1, 6)] * 3 + [(5, 5)]


def test_edits_of_the_product_compile_and_differ():
    drawn = draw(ROOT, GROUPS, 10_000, seed=0)
    assert {mutant.operator for mutant in drawn} == {FLIP, DROP, SWAP}
    assert len({command._key(command._facts(mutant, [])) for mutant in drawn}) == len(drawn)
    for mutant in drawn[:100]:
        compile(mutant.apply((ROOT / mutant.file).read_bytes()), mutant.file, "exec")


def test_a_draw_is_even_and_depends_on_the_seed():
    drawn = draw(ROOT, GROUPS, 26, seed=26)
    assert drawn == draw(ROOT, GROUPS, 26, seed=26) == draw(ROOT, GROUPS, 60, seed=26)[:26]
    assert drawn != draw(ROOT, GROUPS, 26, seed=27)
    cells = {(mutant.group, mutant.operator) for mutant in draw(ROOT, GROUPS, 10_000, seed=0)}
    first = [(mutant.group, mutant.operator) for mutant in drawn[: len(cells)]]
    assert sorted(first) == sorted(cells)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    root = tmp_path_factory.mktemp("mutants") / "checkout"
    files = {
        "pkg/__init__.py": "",
        "pkg/sums.py": SUMS,
        "tests/pkg/test_sums.py": TESTS,
        "tests/pkg/test_apart.py": "def test_nothing():\n    pass\n",
        "pyproject.toml": "[tool.pytest.ini_options]\npythonpath = ['.']\nmarkers = ['slow']\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    with pytest.MonkeyPatch.context() as patch:
        # To load them takes longer than the tests.
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        yield root


def record(path, lines_by_context, checkout="/elsewhere"):
    data = CoverageData(str(path))
    for context, lines in lines_by_context.items():
        data.set_context(context)
        data.add_lines({f"{checkout}/pkg/sums.py": lines, f"{checkout}/pkg/more/sums.py": [99]})
    data.write()
    return path


@pytest.fixture(scope="module")
def data_file(checkout):
    contexts = {
        "": [1, 3, 6, 7, 10],
        "test_sums.test_least": [7],
        "tests.pkg.test_sums.TestTotal.test_zero": [11, 13],
        "tests.pkg.test_sums.TestTotal.test_sum": [11, 13],
        "keras.trainer.test_step": [7],
    }
    return record(checkout.parent / "data", contexts)


def mutants(checkout):
    return {mutant.after: mutant for mutant in draw(checkout, ["pkg/*.py"], 100, 0)}


def test_the_tests_that_reach_a_line(checkout, data_file):
    selection, drawn = Selection(checkout, data_file), mutants(checkout)
    assert selection.tests(drawn["a >= b"]) == ["tests/pkg/test_sums.py::test_least"]
    assert len(selection.tests(drawn["a >= 0"])) == 2
    everything = {
        "tests/pkg/test_sums.py::TestTotal::test_sum",
        "tests/pkg/test_sums.py::TestTotal::test_zero",
        "tests/pkg/test_sums.py::test_least",
    }
    assert set(selection.tests(drawn["1"])) == everything


def test_a_line_that_only_fixtures_reach_has_its_folders_tests(checkout, data_file, tmp_path):
    path = record(tmp_path / "data", {"": [7], "test_sums.test_least": [1]})
    tests = Selection(checkout, path).tests(mutants(checkout)["a >= b"])
    assert len(tests) == 5
    assert tests[-1] == "tests/pkg/test_apart.py::test_nothing"


def test_data_without_contexts_is_refused(checkout, tmp_path):
    with pytest.raises(ValueError, match="dynamic_context"):
        Selection(checkout, record(tmp_path / "data", {"": [7]}))


@pytest.fixture(scope="module")
def runner(checkout):
    with Runner(
        checkout, checkout.parent / "scratch", ["pkg"], ["json"], min(os.sched_getaffinity(0)), 4
    ) as runner:
        yield runner


FILE = "tests/pkg/test_sums.py"


@pytest.mark.parametrize(
    ("after", "tests", "result", "failure"),
    [
        ("a >= b", ["test_least"], "make test", "::test_least"),
        ("a >= 0", ["TestTotal::test_zero"], "make test", "timeout"),
        ("a", ["TestTotal::test_zero"], SURVIVED, None),
        ("a + b", ["TestTotal::test_zero"], SURVIVED, None),
        ("b", ["TestTotal::test_sum"], "make test-all", "::TestTotal::test_sum"),
        ("a + b", ["test_that_fails_by_itself", "test_least"], SURVIVED, None),
        ("a + b", [], SURVIVED, None),
    ],
)
def test_a_mutant_is_killed_or_survives(runner, checkout, after, tests, result, failure):
    drawn = mutants(checkout) | {"b": _edit("a + b + OFFSET", "b")}
    outcome = runner.try_mutant(drawn[after], [f"{FILE}::{test}" for test in tests])
    assert outcome.result == result
    by_itself = f"{FILE}::test_that_fails_by_itself"
    assert (by_itself in outcome.left_out) >= ("test_that_fails_by_itself" in tests)
    assert outcome.failure == (f"{FILE}{failure}" if failure != "timeout" and failure else failure)
    assert (runner._copy / "pkg" / "sums.py").read_text(encoding="utf-8") == SUMS


def _edit(before, after):
    start = SUMS.index(before)
    edit = (start, start + len(before), after.encode())
    return Mutant("pkg/*.py", "pkg/sums.py", DROP, (1, 1), *edit, 1, before, after)


@pytest.mark.parametrize(
    ("edit", "failure"),
    [
        (("def least", "def most"), FILE),  # the tests cannot be collected
        (("return a +", "__import__('os').abort() +"), "signal 6"),
        (("return a +", "__import__('os')._exit(4) +"), "exit status 4"),
    ],
)
def test_what_ends_without_a_failing_test_is_killed(runner, edit, failure):
    outcome = runner.try_mutant(_edit(*edit), [f"{FILE}::TestTotal::test_zero"])
    assert outcome[:2] == ("make test", failure)


def test_an_error_without_the_edit_is_raised(runner):
    with pytest.raises(RuntimeError, match=r"(?s), without an edit too.*no_such_test"):
        runner.try_mutant(_edit("def least", "def most"), ["tests/no_such_test.py"])


def test_modules_of_another_checkout_are_refused(checkout, tmp_path):
    with (
        Runner(checkout, tmp_path, ["pkg", "json"], [], min(os.sched_getaffinity(0)), 10) as runner,
        pytest.raises(RuntimeError, match=r"before the fork: .*json"),
    ):
        runner.try_mutant(_edit("a < b", "a > b"), [f"{FILE}::test_least"])


def test_a_benchmark_that_was_stopped_resumes(checkout, data_file, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "ROOT", checkout)
    monkeypatch.setattr(command, "GROUPS", ["pkg/*.py"])
    monkeypatch.setattr(command, "OWN", ["pkg"])
    monkeypatch.setattr(command, "LIBRARIES", [])
    out = tmp_path / "mutants.md"
    words = ["--seed", "1", "--coverage", str(data_file), "--out", str(out)]
    for count in ("2", "3", "3"):
        monkeypatch.setattr(sys, "argv", ["mutants", *words, "--count", count, "--limit", "1"])
        command.main()
    rows = [
        json.loads(line)
        for line in out.with_suffix(".jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert Counter(row["seed"] for row in rows) == {1: 3}
    assert f"| all | | {table._numbers(Counter(row['result'] for row in rows))} |" in out.read_text(
        encoding="utf-8"
    )
    assert str(tmp_path) not in out.read_text(encoding="utf-8")


def test_the_table_counts_and_lists_survivors():
    def row(result, failure=None, line=7):
        return {
            "group": "pkg/*.py",
            "operator": FLIP,
            "file": "pkg/a.py",
            "line": line,
            "before": "a | b < c",
            "after": "a | b >= c",
            "tests": 3,
            "result": result,
            "failure": failure,
            "left_out": ["tests/test_b.py::test"],
        }

    rows = [row("make test", "tests/test_a.py::test"), row("make test", "timeout"), row(SURVIVED)]
    text = table.render([*rows, row("make test-all", "tests/test_a.py::test_b"), row(UNDECIDED)])
    assert "| `pkg/*.py` | flip a comparison | 5 | 2 | 1 | 1 | 1 |" in text
    assert "Killed without a failing test: 1 by timeout." in text
    assert "fail without an edit: tests/test_b.py::test." in text
    assert (
        "| pkg/a.py:7 | 3 | `a \\| b < c` -> `a \\| b >= c` |" in text.partition("## Survived")[2]
    )
    assert "## Undecided" not in table.render(rows)
    assert text.startswith("# Mutants\n\n`python -m benchmarks.mutants")
