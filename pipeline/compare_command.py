"""The command `tfx-distill compare`."""

import time
from collections.abc import Sequence
from pathlib import Path

import yaml
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2
from rich.console import Console
from rich.markup import escape

from components.run_recorder import origin
from pipeline import comparison, run_command, run_record
from pipeline import plan as run_plan
from pipeline import workdir as run_workdir
from pipeline.history import History
from pipeline.quiet import output_to


def compare(
    preset: str,
    overrides: Sequence[str],
    workdir: Path,
    metadata: metadata_store_pb2.ConnectionConfig | None,
) -> int:
    """Trains students by several methods and seeds on one teacher, and prints the table.

    Args:
      preset: the preset's name.
      overrides: `key=value` each.
      workdir: where everything is written.
      metadata: where ML Metadata is; None is a SQLite file in the workdir.

    Returns:
      The exit status: 0; with `compare.push_best` as `run_command.run`; `run_command.FAILED` on
      the way.

    Raises:
      UserError: bad usage, configuration or data, found before anything ran.
    """
    workdir = workdir.absolute()
    config = run_command.load(preset, overrides, workdir, metadata)
    command = run_record.command(preset, overrides, workdir, metadata, verb="compare")
    with run_workdir.in_use(workdir):
        source = run_plan.locate(config, workdir)
        log = workdir / "logs" / f"{time.strftime('%Y%m%d-%H%M%S')}.log"
        with output_to(log) as terminal:
            console = Console(file=terminal)
            plan = comparison.make(config, workdir, source, metadata, command)
            _print_head(console, plan)
            console.print(f"log: {escape(str(log))}\n", highlight=False, soft_wrap=True)
            with open(log, "a") as file:
                libraries = yaml.safe_dump(origin.libraries())
                file.write(f"{libraries}\n{run_command.document(plan.run.config)}\n")
            return _execute(plan, console, log)


def _execute(plan: comparison.ComparisonPlan, console: Console, log: Path) -> int:
    # Importing TFX takes ten seconds: a mistake in the configuration need not wait for it.
    from pipeline import comparison_table, outcome
    from pipeline.display import show_outcome
    from pipeline.graph.comparison import create_comparison

    plan.run.keep_inputs()
    start = time.perf_counter()
    run_id = run_command.carry_out(create_comparison(plan), console, log)
    if run_id is None:
        console.print("What has ended is kept: start again, with other --methods if you like.")
        return run_command.FAILED
    run = History(metadata_store.MetadataStore(plan.run.metadata)).named(run_id)
    (board,) = [node.outputs["table"] for node in run.nodes if node.id == "Leaderboard"]
    comparison_table.show(console, Path(board.uri))
    status = run_command.PUSHED
    if plan.settings.push_best:
        result = outcome.read(plan.run, run_id, "BestStudent")
        show_outcome(console, result)
        status = run_command.PUSHED if result.pushed_to else run_command.REFUSED
    console.print(f"[dim]{time.perf_counter() - start:.0f} s[/]")
    return status


def _print_head(console: Console, plan: comparison.ComparisonPlan) -> None:
    config = plan.run.config
    counts = ", ".join(f"{count:,} {split}" for split, count in plan.run.counts.items())
    console.print(
        f"[bold]{plan.name}[/]: {escape(config.teacher.label)} -> {escape(config.student.label)} "
        f"by {', '.join(plan.rows)}; {config.compare.trials} trials",
        highlight=False,
        soft_wrap=True,
    )
    console.print(f"data: {escape(plan.run.source)} ({counts})", highlight=False, soft_wrap=True)
    if plan.together:
        console.print(
            f"At once, on one pass of the teacher: {', '.join(plan.together)}.",
            highlight=False,
            soft_wrap=True,
        )
