"""The command `tfx-distill report`: where the page of a run is."""

import os
from pathlib import Path

from ml_metadata import metadata_store

from components.serving_versions import report_path
from kd_trainer.errors import ConfigError
from pipeline import pushes, version_lineage
from pipeline.history import History, Run

# `components.artifacts.ReportPage`, which is not imported: that would load TFX.
REPORT_PAGE, _FILE_NAME = "components.ReportPage", "report.html"


def show(store: metadata_store.MetadataStore, run_id: str | None) -> int:
    """Prints the path of a run's page.

    Args:
      store: ML Metadata.
      run_id: the run's id, or a version that it pushed; None for the newest that has a page.

    Returns:
      The exit status.

    Raises:
      ConfigError: there is no run, no such run, it did not come as far as its page, or the page is
        no longer there: gc removed it, or somebody else.
    """
    history = History(store)
    run = pushes.find_run(history, run_id) if run_id else _newest(history)
    artifact = run.output(REPORT_PAGE)
    if artifact is None:
        raise ConfigError(
            f"The run {run.id!r} did not come as far as its report. Its log in logs/ says why; "
            "run the same again, and it goes on from there."
        )
    if artifact.removed:
        raise ConfigError(
            f"The report of the run {run.id!r} was removed by `tfx-distill gc`. How the run ended, "
            f"ML Metadata still knows: {pushes.ending(history, run)}."
        )
    page = Path(artifact.uri, _FILE_NAME)
    if not page.is_file():
        raise ConfigError(
            f"The report of the run {run.id!r} was {str(page)!r} and is no longer there. "
            "Run the same again with another --workdir to have it made anew."
        )
    print(page)
    return 0


def show_version(directory: str, version: str | None) -> int:
    """Prints the path of the page that lies beside a version.

    Args:
      directory: the push destination.
      version: None for the newest in service.

    Raises:
      ConfigError: there is no such version, or no page of it.
    """
    number = os.path.basename(version_lineage.find(directory, version))
    page = report_path(os.path.join(directory, number))
    if not os.path.isfile(page):
        raise ConfigError(
            f"Version {number} in {directory!r} has no report beside it: its run ended before it "
            "wrote one, or a release of tfx-distill pushed it that kept none there."
        )
    print(page)
    return 0


def _newest(history: History) -> Run:
    with_page = [run for run in history.runs if run.output(REPORT_PAGE)]
    if not with_page:
        raise ConfigError(
            f"None of the {len(history.runs)} runs came as far as its report. Their logs in logs/ "
            "say why."
        )
    return with_page[-1]
