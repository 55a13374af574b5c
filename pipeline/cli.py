"""The command line."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from kd_trainer.errors import UserError
from pipeline import run_command
from pipeline.cluster import parser as kubeflow_parser

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
    command = run_command.dry_run if options.dry_run else run_command.run
    return command(options.preset, overrides, options.workdir)


def _methods(options: argparse.Namespace) -> int:
    # TensorFlow, which Keras loads, reports as errors that there is no GPU.
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from pipeline import methods_command

    if options.name is None:
        return methods_command.list_methods()
    return methods_command.show_method(options.name)


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
    run.add_argument(
        "--workdir",
        type=Path,
        default=Path("workdir"),
        metavar="DIR",
        help="where everything is written (default: workdir)",
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
    kubeflow_parser.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
