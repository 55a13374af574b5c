"""The page as a whole: the executor on the artifacts of a run."""

from pathlib import Path


def test_page(run, report):
    page = report(run)
    import shutil
    shutil.copy(page, "/tmp/report.html")
