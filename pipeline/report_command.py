"""The command `report`: where the page of a run is."""

from pathlib import Path

from ml_metadata import metadata_store

from kd_trainer.errors import ConfigError
from pipeline import store

# `components.artifacts.ReportPage`, which is not imported: that would load TFX.
_TYPE, _FILE_NAME = "components.ReportPage", "report.html"


def report(run_id: str | None, workdir: Path) -> int:
    """Prints the path of a run's page.

    Args:
      run_id: the pipeline run's id; None for the newest run that has a page.
      workdir: where the run wrote.

    Raises:
      ConfigError: nothing has run in the workdir, it has no such run, the run did not come as far
        as its page, or the page is no longer there.
    """
    pages = _pages(workdir.absolute())
    if run_id is None:
        with_page = [run for run, page in pages.items() if page]
        if not with_page:
            raise ConfigError(
                f"None of the {len(pages)} runs in {str(workdir)!r} came as far as its report. "
                "Their logs in logs/ say why."
            )
        run_id = with_page[-1]
    if run_id not in pages:
        raise ConfigError(
            f"There is no run {run_id!r} in {str(workdir)!r}. Its runs, the newest last: "
            f"{', '.join(pages)}."
        )
    page = pages[run_id]
    if page is None:
        raise ConfigError(
            f"The run {run_id!r} did not come as far as its report. Its log in logs/ says why; "
            "run the same again, and it goes on from there."
        )
    if not page.is_file():
        raise ConfigError(
            f"The report of the run {run_id!r} was {str(page)!r} and is no longer there. "
            "Run the same again with another --workdir to have it made anew."
        )
    print(page)
    return 0


def _pages(workdir: Path) -> dict[str, Path | None]:
    """Returns the page of each run, the oldest run first; None where a run made none."""
    metadata = workdir / store.FILE_NAME
    if not metadata.is_file():  # connecting would make it
        raise ConfigError(
            f"Nothing has run in {str(workdir)!r}: it holds no {store.FILE_NAME}. "
            "Give the run's workdir with --workdir."
        )
    connection = metadata_store.MetadataStore(store.sqlite(metadata))
    runs = connection.get_contexts_by_type("pipeline_run")
    pages: dict[str, Path | None] = {}
    for run in sorted(runs, key=lambda run: run.id):
        found = [
            Path(artifact.uri, _FILE_NAME)
            for artifact in connection.get_artifacts_by_context(run.id)
            if artifact.type == _TYPE
        ]
        pages[run.name] = found[-1] if found else None
    return pages
