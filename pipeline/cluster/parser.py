"""The options of `tfx-distill kubeflow ...`."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.cluster import commands, compiling, doctor
from pipeline.cluster.errors import COOKIES, TOKEN, TOKEN_FILE

_EPILOG = f"""\
environment: {commands.HOST} the server, if --host is not given; who you are:
{TOKEN} a bearer token, {TOKEN_FILE} the path of a file with one,
{COOKIES} a session's cookies, KF_PIPELINES_IAP_OAUTH2_CLIENT_ID for Google's
Identity-Aware Proxy

exit status: 0 done, 2 bad usage, configuration or authentication, 1 the server failed, or the run
that was waited for"""


def add(parent: Any) -> None:
    """Adds the command `kubeflow` to the subparsers of the command line."""
    kubeflow = parent.add_parser(
        "kubeflow",
        help="run the pipeline on Kubeflow Pipelines, once or on a schedule",
        description="Runs the pipeline on Kubeflow Pipelines 2, once or on a schedule.",
    )
    verbs = kubeflow.add_subparsers(required=True, metavar="COMMAND")

    _add_compile(verbs)
    submit = _verb(verbs, "submit", commands.submit, "upload a pipeline and run it")
    _add_pipeline(submit)
    submit.add_argument(
        "--wait", action="store_true", help="wait for the run's end, with a line a task"
    )
    submit.add_argument(
        "--resubmit",
        type=int,
        default=0,
        metavar="N",
        help="with --wait: start up to N more runs, each once the one before it has failed, as one "
        "does whose pod was preempted; what had ended is taken from the cache",
    )

    schedule = _verb(
        verbs, "schedule", commands.schedule, "upload a pipeline and run it again and again"
    )
    schedule.add_argument(
        "--name",
        required=True,
        help="of the schedule. One of that name that differs is replaced, one that is the same is "
        "left alone, one that is paused is enabled",
    )
    when = schedule.add_mutually_exclusive_group(required=True)
    when.add_argument(
        "--cron",
        metavar="'M H D M W'",
        help="minute, hour, day of the month, month, day of the week (0 to 6 from Sunday on, or "
        "SUN to SAT), in the cluster's time zone, UTC unless set; Kubeflow has a field for the "
        "seconds before them, which becomes 0",
    )
    when.add_argument("--every", metavar="INTERVAL", help="such as 90m, 12h or 7d")
    _add_pipeline(schedule)

    rollback = _verb(
        verbs,
        "rollback",
        commands.rollback,
        "take the newest version that a pipeline pushed out of service",
    )
    rollback.add_argument("name", metavar="NAME", help="the pipeline's")
    rollback.add_argument("--reason", default="", metavar="TEXT", help="why, for the record")
    rollback.add_argument(
        "--last", action="store_true", help="even if nothing is in service without it"
    )
    rollback.add_argument(
        "--image", help="the container image (default: that of the pipeline's newest version)"
    )
    _add_run(rollback)

    check = _verb(verbs, "doctor", doctor.check, "check whether a cluster has what the tasks need")
    _add_configuration(check)
    _add_run(check)

    show = _verb(verbs, "list", commands.show, "list the schedules and the newest runs")
    show.add_argument("--json", action="store_true", help="for a program to read")

    for name, verb, text in (
        ("pause", commands.pause, "keep a schedule from starting runs"),
        ("resume", commands.resume, "let a paused schedule start runs again"),
        ("delete", commands.delete, "delete a schedule; the runs that it started stay"),
    ):
        _verb(verbs, name, verb, text).add_argument("name", metavar="NAME", help="the schedule's")


def _verb(
    verbs: Any, name: str, verb: Callable[[argparse.Namespace], int], text: str
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", metavar="URL", help="the server, such as http://localhost:8888")
    parser.add_argument("--namespace", help="yours, where the server has many users")
    parser.set_defaults(command=commands.run, verb=verb)
    return parser


def _add_compile(verbs: Any) -> None:
    parser = verbs.add_parser(
        "compile",
        help="compile the pipeline into a file",
        description="Compiles the pipeline for Kubeflow Pipelines 2, having checked what can be "
        "checked outside of the cluster.",
    )
    _add_configuration(parser)
    _add_compare(parser)
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="YAML (default: the pipeline's name .yaml)"
    )
    parser.set_defaults(command=compiling.run)


def _add_configuration(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--preset", help="what to start from (default: quick)")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a key, such as kubeflow.image=registry/tfx-distill:1; may be given many "
        "times",
    )


def _add_compare(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--compare",
        action="store_true",
        help="the comparison that the keys compare.methods, compare.trials and compare.push_best "
        "ask for, not a run",
    )


def _add_pipeline(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--spec", type=Path, metavar="FILE", help="a compiled pipeline (default: one is compiled)"
    )
    _add_configuration(parser)
    _add_compare(parser)
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a parameter of the pipeline, in JSON unless it is a text; may be given many times",
    )
    _add_run(parser)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--experiment", metavar="NAME", help="what runs are filed under (default: the pipeline's)"
    )
    parser.add_argument(
        "--service-account", metavar="NAME", help="the Kubernetes account that the pods run as"
    )
