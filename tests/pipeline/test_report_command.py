"""The command `report`, on real stores of ML Metadata."""

import subprocess
import sys
from pathlib import Path

import pytest
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2

from components.artifacts import ReportPage
from pipeline import cli
from pipeline.store import FILE_NAME, sqlite


@pytest.fixture
def record(tmp_path):
    """Puts runs into a workdir's store as TFX does: a run's context holds its artifacts."""
    store = metadata_store.MetadataStore(sqlite(tmp_path / FILE_NAME))
    kinds = {
        name: store.put_artifact_type(metadata_store_pb2.ArtifactType(name=name))
        for name in (ReportPage.TYPE_NAME, "Model")
    }
    run_type = store.put_context_type(metadata_store_pb2.ContextType(name="pipeline_run"))
    artifacts = {}

    def artifact(kind, uri):
        if uri not in artifacts:
            [identity] = store.put_artifacts(
                [metadata_store_pb2.Artifact(type_id=kinds[kind], uri=str(uri))]
            )
            artifacts[uri] = identity
        return artifacts[uri]

    def record(run, page):
        [context] = store.put_contexts([metadata_store_pb2.Context(type_id=run_type, name=run)])
        held = [artifact("Model", tmp_path / run / "model")]
        if page:
            page.mkdir(exist_ok=True)
            (page / ReportPage.FILE_NAME).touch()
            held.append(artifact(ReportPage.TYPE_NAME, page))
        store.put_attributions_and_associations(
            [
                metadata_store_pb2.Attribution(artifact_id=identity, context_id=context)
                for identity in held
            ],
            [],
        )

    return record


def report(*arguments, workdir, capsys):
    status = cli.main(["report", *arguments, "--workdir", str(workdir)])
    captured = capsys.readouterr()
    return status, captured.out + captured.err


def test_the_newest_page_or_that_of_a_run(record, tmp_path, capsys):
    record("2026-11-20", tmp_path / "first")
    record("2026-11-21", tmp_path / "second")
    record("2026-11-22", None)  # failed on the way
    record("2026-11-23", tmp_path / "first")  # served from the cache
    for arguments, page in [((), "first"), (("2026-11-21",), "second"), (("2026-11-23",), "first")]:
        printed = report(*arguments, workdir=tmp_path, capsys=capsys)
        assert printed == (0, f"{tmp_path / page / ReportPage.FILE_NAME}\n")


def test_a_run_that_failed_after_the_newest_page(record, tmp_path, capsys):
    record("2026-11-21", tmp_path / "page")
    record("2026-11-22", None)
    assert report(workdir=tmp_path, capsys=capsys)[0] == 0
    status, printed = report("2026-11-22", workdir=tmp_path, capsys=capsys)
    assert status == 2
    assert "'2026-11-22' did not come as far as its report" in printed


def test_an_unknown_run_is_answered_with_the_known_ones(record, tmp_path, capsys):
    record("2026-11-21", tmp_path / "page")
    status, printed = report("2026-11-12", workdir=tmp_path, capsys=capsys)
    assert status == 2
    assert "'2026-11-12'" in printed
    assert "the newest last: 2026-11-21." in printed


def test_no_run_has_a_page(record, tmp_path, capsys):
    record("2026-11-21", None)
    status, printed = report(workdir=tmp_path, capsys=capsys)
    assert status == 2
    assert "None of the 1 runs" in printed


def test_a_page_that_was_removed(record, tmp_path, capsys):
    record("2026-11-21", tmp_path / "page")
    page = tmp_path / "page" / ReportPage.FILE_NAME
    page.unlink()
    status, printed = report(workdir=tmp_path, capsys=capsys)
    assert status == 2
    assert f"{str(page)!r} and is no longer there" in printed


def test_a_workdir_without_runs_stays_empty(tmp_path, capsys):
    status, printed = report(workdir=tmp_path, capsys=capsys)
    assert status == 2
    assert f"Nothing has run in {str(tmp_path)!r}" in printed
    assert not list(tmp_path.iterdir())


def test_it_needs_neither_tfx_nor_tensorflow(record, tmp_path):
    record("2026-11-21", tmp_path / "page")
    code = (
        "import sys; from pipeline import cli; cli.main(['report', '--workdir', sys.argv[1]]); "
        "assert not {'tfx', 'tensorflow', 'keras'} & set(sys.modules)"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code, tmp_path], cwd=root, check=True, timeout=60)
