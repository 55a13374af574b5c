"""What the commands do with their options.

What takes long to import is imported by those that need it.
"""

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kd_trainer import strict_yaml
from kd_trainer.errors import ConfigError
from pipeline import loading, run_command, store
from pipeline.request import Request

if TYPE_CHECKING:
    from ml_metadata import metadata_store


def run(options: argparse.Namespace) -> int:
    """Runs the pipeline, or checks that it could run."""
    overrides = _overrides(options)
    if options.rebaseline:
        overrides.append("gate.rebaseline=true")
    command = run_command.dry_run if options.dry_run else run_command.run
    return command(_request("run", options, overrides))


def compare(options: argparse.Namespace) -> int:
    """Compares methods."""
    from pipeline import compare_command

    overrides = _overrides(options)
    for key in ("methods", "trials"):
        if (value := getattr(options, key)) is not None:
            overrides.append(f"compare.{key}={value}")
    if options.push_best:
        overrides.append("compare.push_best=true")
    return compare_command.compare(_request("compare", options, overrides))


def _overrides(options: argparse.Namespace) -> list[str]:
    overrides = list(options.set)
    if options.data is not None:
        overrides.append(f"data.path={strict_yaml.dump(options.data)}")
    if options.beam:
        overrides.append(f"beam.options={strict_yaml.dump(options.beam)}")
    return overrides


def _request(verb: str, options: argparse.Namespace, overrides: list[str]) -> Request:
    metadata = store.connect(options.metadata) if options.metadata else None
    return Request(verb, options.preset, overrides, options.workdir.absolute(), metadata)


def methods(options: argparse.Namespace) -> int:
    """Lists the methods, or prints the page of one."""
    with _tensorflow_silent():
        from pipeline import methods_command

    if options.name is None:
        return methods_command.list_methods()
    return methods_command.show_method(options.name)


def predict(options: argparse.Namespace) -> int:
    """Asks a pushed student."""
    with _tensorflow_silent():
        from pipeline import predict_command

    model = options.model or predict_command.newest(options.workdir, options.name)
    return predict_command.predict(options.images, model, as_json=options.json)


def rollback(options: argparse.Namespace) -> int:
    """Takes the newest version out of service."""
    from pipeline import rollback_command

    if _without_metadata(options):
        return rollback_command.rollback_in(options.directory, options.reason, options.last)
    return rollback_command.rollback(
        _metadata(options), options.workdir, options.name, options.reason, options.last
    )


def gc(options: argparse.Namespace) -> int:
    """Removes the files of old runs."""
    from pipeline import gc_command

    return gc_command.collect(_metadata(options), options.workdir, options.keep, options.dry_run)


def explain(options: argparse.Namespace) -> int:
    """Prints a decision."""
    from pipeline import explain_command

    if _without_metadata(options):
        return explain_command.show_version(options.directory, options.run, options.json)
    return explain_command.show(_metadata(options), options.run, options.json)


def report(options: argparse.Namespace) -> int:
    """Prints where a report is."""
    from pipeline import report_command

    if _without_metadata(options):
        return report_command.show_version(options.directory, options.run)
    return report_command.show(_metadata(options), options.run)


def lineage(options: argparse.Namespace) -> int:
    """Prints where a version comes from."""
    from pipeline import lineage_command

    if _without_metadata(options):
        return lineage_command.show_version(options.directory, options.version, options.json)
    return lineage_command.show(_metadata(options), options.version, options.name, options.json)


def runs(options: argparse.Namespace) -> int:
    """Lists the runs."""
    from pipeline import runs_command

    return runs_command.show(_metadata(options), options.json)


def diff(options: argparse.Namespace) -> int:
    """Compares two runs."""
    from pipeline import diff_command

    return diff_command.show(_metadata(options), options.a, options.b, options.json)


@contextmanager
def _tensorflow_silent() -> Iterator[None]:
    # TensorFlow, which Keras loads, reports as errors that there is no GPU; what it prints as it is
    # loaded has no level in some of its releases.
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    with loading.silently():
        yield


def _without_metadata(options: argparse.Namespace) -> bool:
    """Returns whether versions in a directory are asked about."""
    if options.directory is None:
        return False
    for option in ("metadata", "name"):
        if getattr(options, option, None) is not None:
            raise ConfigError(
                f"--{option} is of runs in ML Metadata, which --directory does not look at: "
                "give one of the two."
            )
    return True


def _metadata(options: argparse.Namespace) -> "metadata_store.MetadataStore":
    return store.read(store.connect(options.metadata or str(options.workdir / store.FILE_NAME)))
