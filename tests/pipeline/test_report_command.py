"""The command `report`, on real stores of ML Metadata."""

from pathlib import Path

import pytest
from light_commands import heavy_modules
from lineage_stores import Writer

from components.artifacts import ReportPage
from pipeline import cli, report_command


@pytest.fixture
def record(tmp_path):
    """Writes runs down: of a page, made by a run or served from the cache, or of none."""
    writer = Writer(tmp_path)

    def record(run_id, page=None, state="COMPLETE"):
        run = writer.run(run_id)
        if page is None:
            run.node("DistillTrainer", state="FAILED")
        else:
            run.node("ModelReport", outputs={"report": page}, state=state)

    def page():
        return writer.artifact(ReportPage.TYPE_NAME, (ReportPage.FILE_NAME, "a page"))

    record.page = page
    return record


@pytest.fixture
def report(tmp_path, capsys):
    def report(*arguments):
        status = cli.main(["report", *arguments, "--workdir", str(tmp_path)])
        captured = capsys.readouterr()
        return status, captured.out + captured.err

    return report


def test_the_newest_page_or_that_of_a_run(record, report):
    first, second = record.page(), record.page()
    record("2026-11-20", first)
    record("2026-11-21", second)
    record("2026-11-22")  # failed on the way
    record("2026-11-23", first, state="CACHED")
    for arguments, page in [((), first), (("2026-11-21",), second), (("2026-11-23",), first)]:
        assert report(*arguments) == (0, f"{page.uri}/{ReportPage.FILE_NAME}\n")


def test_a_run_that_failed_after_the_newest_page(record, report):
    record("2026-11-21", record.page())
    record("2026-11-22")
    assert report()[0] == 0
    status, printed = report("2026-11-22")
    assert status == 2
    assert "'2026-11-22' did not come as far as its report" in printed


def test_an_unknown_run(record, report):
    record("2026-11-21", record.page())
    status, printed = report("2026-11-22")
    assert status == 2
    assert "Did you mean '2026-11-21'?" in printed


def test_no_run_has_a_page(record, report):
    record("2026-11-21")
    status, printed = report()
    assert status == 2
    assert "None of the 1 runs" in printed


def test_a_page_that_is_gone(record, report):
    page = record.page()
    record("2026-11-21", page)
    Path(page.uri, ReportPage.FILE_NAME).unlink()
    status, printed = report()
    assert status == 2
    assert "no longer there" in printed


def test_the_types_name_is_the_artifacts():
    assert report_command.REPORT_PAGE == ReportPage.TYPE_NAME


def test_it_needs_neither_tfx_nor_tensorflow(record, tmp_path):
    record("2026-11-21", record.page())
    assert heavy_modules("report", "--workdir", tmp_path) == []
