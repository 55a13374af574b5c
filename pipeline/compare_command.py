"""The command `tfx-distill compare`."""

import time
from pathlib import Path

from ml_metadata import metadata_store
from rich.console import Console
from rich.markup import escape

from pipeline import comparison, loading, run_command
from pipeline.history import History
from pipeline.request import Request


def compare(request: Request) -> int:
    """Trains students by several methods and seeds on one teacher, and prints the table.

    Args:
      request: what is asked for.

    Returns:
      The exit status: 0; with `compare.push_best` as `run_command.run`; `run_command.FAILED` on
      the way.

    Raises:
      UserError: bad usage, configuration or data, found before anything ran.
    """
    with run_command.opened(request) as session:
        plan = comparison.make(
            session.config, request.workdir, session.source, request.metadata, session.command
        )
        _print_head(session.console, plan)
        session.begin_log()
        return _execute(plan, session)


def _execute(plan: comparison.ComparisonPlan, session: run_command.Session) -> int:
    # Importing TFX takes seconds: a mistake in the configuration need not wait for it.
    with loading.uncollected():
        from pipeline import comparison_table, outcome
        from pipeline.display import show_outcome
        from pipeline.graph.comparison import create_comparison

    console = session.console
    plan.run.keep_inputs()
    start = time.perf_counter()
    run_id = run_command.carry_out(create_comparison(plan), plan.run, session)
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
