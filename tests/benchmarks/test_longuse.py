from pathlib import Path

import pytest

from benchmarks.longuse import table, week

pytestmark = pytest.mark.light


def test_each_run_has_what_its_week_brings_and_nothing_else():
    runs = [week.command(number, Path("w")) for number in range(10)]
    for number in range(1, 10):
        before, now = ({*runs[each]} for each in (number - 1, number))
        changed = {word.partition("=")[0] for word in before ^ now} - {"--rebaseline"}
        expected = {"new images": {"data.limit"}, "new seed": {"seed"}, "nothing": set()}
        assert changed == expected[week.change(number)]
        assert ("--rebaseline" in now) == (week.change(number) == "new images")
    # Nothing comes back that was there before.
    assert len({tuple(run) for run in runs}) == 6


def test_the_newest_versions_stay(tmp_path):
    for number in (9, 10, 11, 100):
        version = tmp_path / "serving" / "quick" / str(number)
        version.mkdir(parents=True)
        (version / "saved_model.pb").write_text("", encoding="utf-8")
    week.retire(tmp_path)
    assert sorted(path.name for path in (tmp_path / "serving/quick").iterdir()) == [
        "10",
        "100",
        "11",
    ]


def test_a_row_ends_with_a_collection():
    def run(change, seconds, gc=None):
        line = {"change": change, "seconds": seconds, "cpu": 2 * seconds}
        line |= {"peak": 7e8, "workdir": 1, "metadata": 1e6}
        return {**line, "gc": gc} if gc else line

    def gc(metadata):
        facts = {"pipelines": 2e6, "serving": 1e6, "versions": 3, "logs": 5}
        return {"seconds": 1.5, "listing": 0.9, "metadata": metadata, **facts}

    runs = [
        run("new images", 20.0),
        run("nothing", 8.0),
        run("new seed", 22.0, gc(3e6)),
        run("new seed", 24.0),
        run("nothing", 10.0, gc(5e6)),
        run("new seed", 1000.0),  # its row is not at its end
    ]
    lines = table.render(runs, "a command", "a setting").splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[-2:]]
    rest = ["2.0", "1.0", "3", "5", "1.5", "0.9"]
    assert rows == [
        ["1 to 3", "21.0", "42.0", "8.0", "16.0", "700", "3.00", "1000", *rest],
        ["4 to 5", "24.0", "48.0", "10.0", "20.0", "700", "5.00", "4000", *rest],
    ]
