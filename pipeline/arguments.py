"""The options of the command line."""

import argparse
from pathlib import Path
from typing import Any, TypeAlias

from pipeline import commands
from pipeline.cluster import parser as kubeflow

# What `add_subparsers` returns; argparse has no public name for it.
_Commands: TypeAlias = Any
_EXIT_STATUS = """\
exit status: 0 the student was pushed (or is in service already), 3 the gate refused it or another
run pushed meanwhile, 2 bad usage, configuration or data, 143 SIGTERM stopped it, 1 anything else"""


def parser() -> argparse.ArgumentParser:
    """Returns the parser of all commands; `command` is what a command's options are given to."""
    whole = argparse.ArgumentParser(
        prog="tfx-distill",
        description="Distils a large image classifier into a small one, gates it, pushes it.",
    )
    whole.add_argument(
        "--debug", action="store_true", help="of an error show where in the code it comes from"
    )
    add_to = whole.add_subparsers(required=True, metavar="COMMAND")
    _add_run(add_to)
    _add_compare(add_to)
    _add_methods(add_to)
    _add_readers(add_to)
    _add_predict(add_to)
    _add_rollback(add_to)
    _add_gc(add_to)
    kubeflow.add(add_to)
    return whole


def _add_run(add_to: _Commands) -> None:
    run = add_to.add_parser(
        "run",
        help="run the pipeline on this machine",
        description="Runs the pipeline on this machine: data, teacher, baseline, student, gate, "
        "push. What an earlier run in the workdir did already is reused.",
        epilog=_EXIT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_configuration(run)
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
    run.set_defaults(command=commands.run)


def _add_compare(add_to: _Commands) -> None:
    compare = add_to.add_parser(
        "compare",
        help="compare methods over several seeds",
        description="Trains one teacher, and a student by each method and seed; writes the table, "
        "the curves and a page. What an earlier comparison in the workdir did already is reused.",
    )
    _add_configuration(compare)
    compare.add_argument(
        "--methods",
        metavar="NAMES",
        help="names with commas between, each NAME or NAME/PRESET (default: the preset's, or all)",
    )
    compare.add_argument(
        "--trials", type=int, metavar="N", help="trainings of each, a seed each (default: 5)"
    )
    compare.add_argument(
        "--push-best",
        action="store_true",
        help="send the best student through the gate, and into service",
    )
    compare.set_defaults(command=commands.compare)


def _add_configuration(command: argparse.ArgumentParser) -> None:
    """Adds what a run is made of."""
    command.add_argument("--preset", default="quick", help="what to start from (default: quick)")
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key, such as method.name=fitnet; may be given many times",
    )
    command.add_argument(
        "--data", metavar="PATH", help="an archive or folder of CIFAR-100 (default: the sample)"
    )
    command.add_argument(
        "--beam",
        action="append",
        default=[],
        metavar="OPTION",
        help="an option of Beam, such as runner=FlinkRunner, for the components that run on it; "
        "may be given many times",
    )
    _add_workdir(command, "where everything is written")
    _add_metadata(command)


def _add_methods(add_to: _Commands) -> None:
    methods = add_to.add_parser(
        "methods",
        help="list the distillation methods, or print a method's page",
        description="Lists the distillation methods by category, or prints the page of one: the "
        "idea, the formula, the presets and where they come from, the traps.",
    )
    methods.add_argument("name", nargs="?", metavar="NAME", help="a method")
    methods.set_defaults(command=commands.methods)


def _add_readers(add_to: _Commands) -> None:
    """Adds the commands that read ML Metadata and run nothing."""
    a_run = "a run's id, see `runs`, or a version that it pushed"
    runs = add_to.add_parser(
        "runs", help="list the runs", description="Lists the runs and how they ended."
    )
    runs.set_defaults(command=commands.runs)
    explain = add_to.add_parser(
        "explain",
        help="what the gate decided of a run, bound by bound",
        description="Prints what the gate decided of a run: every bound with what was found.",
    )
    explain.add_argument("run", nargs="?", metavar="RUN", help=f"{a_run} (default: the newest)")
    explain.set_defaults(command=commands.explain)
    report = add_to.add_parser(
        "report",
        help="where the report of a run is",
        description="Prints the path of a run's report, a page that opens in any browser.",
    )
    report.add_argument("run", nargs="?", metavar="RUN", help=f"{a_run} (default: the newest)")
    report.set_defaults(command=commands.report)
    lineage = add_to.add_parser(
        "lineage",
        help="where a pushed version comes from",
        description="Walks from a pushed version back to its gate, student, method, teacher, data, "
        "code and environment.",
    )
    lineage.add_argument("version", nargs="?", metavar="VERSION", help="default: the newest")
    lineage.add_argument("--name", help="look at this pipeline's versions alone")
    lineage.set_defaults(command=commands.lineage)
    diff = add_to.add_parser(
        "diff",
        help="what changed between two runs",
        description="Compares the configuration, data, code, environment and results of two runs.",
    )
    diff.add_argument("a", metavar="A", help=a_run)
    diff.add_argument("b", metavar="B", help="another one")
    diff.set_defaults(command=commands.diff)
    for reader in (runs, explain, lineage, diff):
        reader.add_argument("--json", action="store_true", help="print a JSON document")
    for reader in (runs, diff):
        _add_workdir(reader, "of the runs")
    for reader in (explain, report, lineage):
        _add_workdir_or_directory(reader, "of the runs")
    for reader in (runs, explain, report, lineage, diff):
        _add_metadata(reader)


def _add_predict(add_to: _Commands) -> None:
    predict = add_to.add_parser(
        "predict",
        help="ask a pushed student what images show",
        description="Prints what the newest pushed student says of images: the class, and the "
        "five most probable ones.",
    )
    predict.add_argument(
        "images", nargs="+", type=Path, metavar="IMAGE", help="a PNG, JPEG, GIF or BMP file"
    )
    _add_workdir(predict, "of the run that pushed it")
    which = predict.add_mutually_exclusive_group()
    which.add_argument("--name", help="the pipeline, where several have pushed")
    which.add_argument(
        "--model", type=Path, metavar="DIR", help="a SavedModel instead of the newest pushed one"
    )
    predict.add_argument("--json", action="store_true", help="print a JSON document")
    predict.set_defaults(command=commands.predict)


def _add_rollback(add_to: _Commands) -> None:
    rollback = add_to.add_parser(
        "rollback",
        help="take the newest pushed version out of service",
        description="Takes the newest pushed version out of service, so that the one before it "
        "is the newest again, and records it in ML Metadata. The version is moved to .withdrawn "
        "beside the others; the gate does not let it into service again.",
    )
    _add_workdir_or_directory(rollback, "of the run that pushed it")
    _add_metadata(rollback)
    rollback.add_argument("--name", help="the pipeline, where several have pushed")
    rollback.add_argument("--reason", default="", metavar="TEXT", help="why, for the record")
    rollback.add_argument(
        "--last", action="store_true", help="even if nothing is in service without it"
    )
    rollback.set_defaults(command=commands.rollback)


def _add_gc(add_to: _Commands) -> None:
    gc = add_to.add_parser(
        "gc",
        help="remove the files of old runs",
        description="Removes the files of runs that are needed no longer: all but those of the "
        "newest runs of each pipeline, of the newest that came to its end, and of the runs that "
        "pushed a version that is in service or withdrawn. ML Metadata keeps what all of them "
        "did. What is in service is not touched.",
    )
    _add_workdir(gc, "of the runs")
    _add_metadata(gc)
    gc.add_argument(
        "--keep", type=int, default=10, metavar="N", help="newest runs that stay (default: 10)"
    )
    gc.add_argument("--dry-run", action="store_true", help="say what would go, remove nothing")
    gc.set_defaults(command=commands.gc)


def _add_workdir_or_directory(command: argparse.ArgumentParser, text: str) -> None:
    place = command.add_mutually_exclusive_group()
    _add_workdir(place, text)
    place.add_argument(
        "--directory",
        metavar="DIR",
        help="where versions were pushed to, such as /work/serving/cifar100 in a cluster: look at "
        "what lies in them, not into ML Metadata; RUN is a version there",
    )


def _add_workdir(command: argparse._ActionsContainer, text: str) -> None:
    command.add_argument(
        "--workdir",
        type=Path,
        default=Path("workdir"),
        metavar="DIR",
        help=f"{text} (default: workdir)",
    )


def _add_metadata(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--metadata",
        metavar="WHERE",
        help="ML Metadata: a SQLite file, or mysql://USER@HOST:PORT/DATABASE with the password in "
        "the environment variable MYSQL_PWD (default: metadata.sqlite in the workdir)",
    )
