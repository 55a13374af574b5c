"""The command line."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml
from ml_metadata import metadata_store

from kd_trainer.errors import UserError
from pipeline import (
    diff_command,
    explain_command,
    lineage_command,
    run_command,
    runs_command,
    store,
)

_EXIT_STATUS = """\
exit status: 0 the student was pushed (or is in service already), 3 the gate refused it,
2 bad usage, configuration or data, 1 anything else"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
      arguments: what follows the program's name; None takes the process's own.

    Returns:
      The exit status.
    """
    options = _parser().parse_args(arguments)
    # What TensorFlow warns of as the process ends would come after the run's own last word.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        return options.command(options)
    except UserError as error:
        print(f"tfx-distill: {error}", file=sys.stderr)
        return run_command.BAD_USAGE
    except KeyboardInterrupt:
        print("tfx-distill: interrupted; the next run goes on where this one was", file=sys.stderr)
        return run_command.FAILED


def _run(options: argparse.Namespace) -> int:
    overrides = list(options.set)
    if options.data is not None:
        overrides.append(f"data.path={yaml.safe_dump(options.data).splitlines()[0]}")
    if options.rebaseline:
        overrides.append("gate.rebaseline=true")
    command = run_command.dry_run if options.dry_run else run_command.run
    metadata = store.connect(options.metadata) if options.metadata else None
    return command(options.preset, overrides, options.workdir, metadata)


def _lineage(options: argparse.Namespace) -> int:
    return lineage_command.show(_metadata(options), options.version, options.name, options.json)


def _runs(options: argparse.Namespace) -> int:
    return runs_command.show(_metadata(options), options.json)


def _diff(options: argparse.Namespace) -> int:
    return diff_command.show(_metadata(options), options.a, options.b, options.json)


def _metadata(options: argparse.Namespace) -> metadata_store.MetadataStore:
    return store.read(store.connect(options.metadata or str(options.workdir / store.FILE_NAME)))


def _explain(options: argparse.Namespace) -> int:
    return explain_command.show(_metadata(options), options.run, options.json)


def _methods(options: argparse.Namespace) -> int:
    # TensorFlow, which Keras loads, reports as errors that there is no GPU.
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from pipeline import methods_command

    if options.name is None:
        return methods_command.list_methods()
    return methods_command.show_method(options.name)


def _rollback(options: argparse.Namespace) -> int:
    from pipeline import rollback_command

    return rollback_command.rollback(options.workdir, options.name, options.reason, options.last)
def _predict(options: argparse.Namespace) -> int:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # as above
    from pipeline import predict_command

    model = options.model or predict_command.newest(options.workdir, options.name)
    return predict_command.predict(options.images, model, as_json=options.json)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tfx-distill",
        description="Distils a large image classifier into a small one, gates it, pushes it.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="run the pipeline on this machine",
        description="Runs the pipeline on this machine: data, teacher, baseline, student, gate, "
        "push. What an earlier run in the workdir did already is reused.",
        epilog=_EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    run.add_argument("--preset", default="quick", help="what to start from (default: quick)")
    run.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key, such as method.name=fitnet; may be given many times",
    )
    run.add_argument(
        "--data", metavar="PATH", help="an archive or folder of CIFAR-100 (default: the sample)"
    )
    _add_places(run, "where everything is written")
    run.add_argument(
        "--rebaseline",
        action="store_true",
        help="push over the version in service: what is compared with it is no bound",
    )
    run.add_argument(
        "--dry-run",
        action="store_true",
        help="check everything, print the resolved configuration and the graph, run nothing",
    )
    run.set_defaults(command=_run)
    methods = commands.add_parser(
        "methods",
        help="list the distillation methods, or print a method's page",
        description="Lists the distillation methods by category, or prints the page of one: the "
        "idea, the formula, the presets and where they come from, the traps.",
    )
    methods.add_argument("name", nargs="?", metavar="NAME", help="a method")
    methods.set_defaults(command=_methods)
    rollback = commands.add_parser(
        "rollback",
        help="take the newest pushed version out of service",
        description="Takes the newest pushed version out of service, so that the one before it "
        "is the newest again, and records it in ML Metadata. The version is moved to .withdrawn "
        "beside the others; the gate does not let it into service again.",
    )
    rollback.add_argument(
    predict = commands.add_parser(
        "predict",
        help="ask a pushed student what images show",
        description="Prints what the newest pushed student says of images: the class, and the "
        "five most probable ones.",
    )
    predict.add_argument(
        "images", nargs="+", type=Path, metavar="IMAGE", help="a PNG, JPEG, GIF or BMP file"
    )
    predict.add_argument(
        "--workdir",
        type=Path,
        default=Path("workdir"),
        metavar="DIR",
        help="of the run that pushed it (default: workdir)",
    )
    rollback.add_argument("--name", help="the pipeline, where several have pushed")
    rollback.add_argument("--reason", default="", metavar="TEXT", help="why, for the record")
    rollback.add_argument(
        "--last", action="store_true", help="even if nothing is in service without it"
    )
    rollback.set_defaults(command=_rollback)
    _add_readers(commands)
        help="where it was pushed (default: workdir)",
    )
    which = predict.add_mutually_exclusive_group()
    which.add_argument("--name", help="the pipeline's name, if several were pushed")
    which.add_argument(
        "--model", type=Path, metavar="DIR", help="a SavedModel instead of the newest pushed one"
    )
    predict.add_argument("--json", action="store_true", help="print one JSON list")
    predict.set_defaults(command=_predict)
    return parser


def _add_readers(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the commands that read ML Metadata and run nothing."""
    explain = commands.add_parser(
        "explain",
        help="what the gate decided of a run, bound by bound",
        description="Prints what the gate decided of a run: every bound with what was found.",
    )
    explain.add_argument(
        "run",
        nargs="?",
        metavar="RUN",
        help="a run's id, see `runs`, or a version that it pushed (default: the newest with a "
        "decision)",
    )
    explain.set_defaults(command=_explain)
    lineage = commands.add_parser(
        "lineage",
        help="where a pushed version comes from",
        description="Walks from a pushed version back to its gate, student, method, teacher, data, "
        "code and environment.",
    )
    lineage.add_argument("version", nargs="?", metavar="VERSION", help="default: the newest")
    lineage.add_argument("--name", metavar="NAME", help="look at this pipeline's versions alone")
    lineage.set_defaults(command=_lineage)
    runs = commands.add_parser(
        "runs", help="list the runs", description="Lists the runs and how they ended."
    )
    runs.set_defaults(command=_runs)
    diff = commands.add_parser(
        "diff",
        help="what changed between two runs",
        description="Compares the configuration, data, code, environment and results of two runs.",
    )
    diff.add_argument("a", metavar="A", help="a run's id, see `runs`, or a version that it pushed")
    diff.add_argument("b", metavar="B", help="another one")
    diff.set_defaults(command=_diff)
    for parser in (explain, lineage, runs, diff):
        parser.add_argument("--json", action="store_true", help="print a JSON document")
        _add_places(parser, "of the runs")


def _add_places(parser: argparse.ArgumentParser, workdir: str) -> None:
    parser.add_argument(
        "--workdir",
        type=Path,
        default=Path("workdir"),
        metavar="DIR",
        help=f"{workdir} (default: workdir)",
    )
    parser.add_argument(
        "--metadata",
        metavar="WHERE",
        help="ML Metadata: a SQLite file, or mysql://USER@HOST:PORT/DATABASE with the password in "
        "the environment variable MYSQL_PWD (default: metadata.sqlite in the workdir)",
    )


if __name__ == "__main__":
    sys.exit(main())
