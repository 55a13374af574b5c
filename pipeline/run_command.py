"""The command `tfx-distill run`."""

import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import yaml
from ml_metadata import metadata_store
from rich.console import Console
from rich.markup import escape

from components.run_recorder import origin
from kd_trainer import methods
from kd_trainer.errors import UserError
from pipeline import config as run_config
from pipeline import loading, run_record, store, termination, troubles, unfinished, withdrawal
from pipeline import plan as run_plan
from pipeline import workdir as run_workdir
from pipeline.quiet import output_to
from pipeline.request import Request

if TYPE_CHECKING:
    from tfx.orchestration.pipeline import Pipeline

PUSHED, FAILED, BAD_USAGE, REFUSED = 0, 1, 2, 3


def run(request: Request) -> int:
    """Runs the pipeline.

    Args:
      request: what is asked for.

    Returns:
      The exit status: `PUSHED`, `REFUSED` by the gate or overtaken by another run's push, or
      `FAILED` on the way.

    Raises:
      UserError: bad usage, configuration or data, found before anything ran.
    """
    with opened(request) as session:
        plan = run_plan.make(
            session.config, request.workdir, session.source, request.metadata, session.command
        )
        _print_head(session.console, plan)
        session.begin_log()
        return _execute(plan, session)


class Session(NamedTuple):
    """A run that has the workdir to itself.

    Attributes:
      config: the configuration.
      source: where the data is.
      command: as `run_record.command` gives it.
      console: the terminal; all other output goes into the log.
      log: its path.
      check_held: raises a ConfigError once the workdir is another one.
    """

    config: run_config.RunConfig
    source: str
    command: list[str]
    console: Console
    log: Path
    check_held: Callable[[], None]

    def begin_log(self) -> None:
        """Says where the log is, and writes into it what one needs to know to read the rest."""
        self.console.print(f"log: {escape(str(self.log))}\n", highlight=False, soft_wrap=True)
        with open(self.log, "a", encoding="utf-8") as file:
            file.write(f"{yaml.safe_dump(origin.libraries())}\n{document(self.config)}\n")


@contextmanager
def opened(request: Request) -> Iterator[Session]:
    """Loads the configuration, fetches the data, and sends all output into a log.

    What a run left that was killed in the workdir is ended first. SIGTERM is heeded.

    Args:
      request: what is asked for; no other run may use its workdir meanwhile.

    Raises:
      UserError: as `run`.
    """
    workdir = request.workdir
    run_workdir.check_free(workdir)  # to say it at once
    config = load(request)
    command = run_record.command(request)
    with termination.heeded(), run_workdir.in_use(workdir) as check_held:
        source = run_plan.locate(config, workdir)
        log = workdir / "logs" / f"{time.strftime('%Y%m%d-%H%M%S')}.log"
        with output_to(log) as terminal:
            console = Console(file=terminal)
            for ended in unfinished.end(workdir, request.connection):
                console.print(f"[dim]Was stopped, and is ended: {escape(ended)}[/]")
            yield Session(config, source, command, console, log, check_held)


def dry_run(request: Request) -> int:
    """Checks everything that `run` checks, prints the configuration and the graph, runs nothing.

    Args:
      request: what `run` would be asked for.

    Raises:
      UserError: as `run`.
    """
    config = load(request)
    source = run_plan.locate(config, request.workdir)
    with output_to(Path(os.devnull)) as terminal:
        console = Console(file=terminal)
        plan = run_plan.make(
            config, request.workdir, source, request.metadata, run_record.command(request)
        )
        _print_head(console, plan)
        _print_graph(console, plan)
        resolved = escape(document(config))
        console.print(f"\nThe resolved configuration:\n\n{resolved}", highlight=False)
    return PUSHED


def load(request: Request) -> run_config.RunConfig:
    """Loads the configuration, and looks whether all places that it names can be written to.

    Args:
      request: what is asked for.

    Raises:
      UserError: one is wrong.
    """
    with loading.silently():
        config = run_config.load(request.preset, request.overrides)
    run_workdir.check_writable(request.workdir)
    if config.push.directory:
        run_workdir.check_writable(Path(config.push.directory).absolute(), "push.directory")
    store.check(request.connection)
    return config


def document(config: run_config.RunConfig) -> str:
    """Returns the resolved configuration as YAML."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


def _execute(plan: run_plan.Plan, session: Session) -> int:
    # Importing TFX takes seconds: a mistake in the configuration need not wait for it.
    with loading.uncollected():
        from pipeline import graph, outcome
        from pipeline.display import show_outcome

    plan.keep_inputs()
    start = time.perf_counter()
    run_id = carry_out(graph.create_pipeline(plan), plan, session)
    if run_id is None:
        return FAILED
    result = outcome.read(plan, run_id)
    show_outcome(session.console, result)
    session.console.print(f"[dim]{time.perf_counter() - start:.0f} s[/]")
    return PUSHED if result.pushed_to else REFUSED


def carry_out(pipeline: "Pipeline", plan: run_plan.Plan, session: Session) -> str | None:
    """Runs a pipeline on this machine and shows how it goes.

    However it ends, none of its executions stays at work in ML Metadata; if that cannot be helped,
    by the next start.

    Args:
      pipeline: the pipeline.
      plan: what it was made of.
      session: shows it.

    Returns:
      The run's id; None if it failed, which the console was told.

    Raises:
      KeyboardInterrupt: it was interrupted.
      Terminated: SIGTERM has come.
    """
    with loading.uncollected():
        from kd_trainer import checkpoint, progress
        from pipeline import local_runner
        from pipeline.display import RunDisplay

    # absl, in Beam's executors, parses what it finds here and refuses our own flags.
    sys.argv = sys.argv[:1]
    console = session.console
    display = RunDisplay(console, max(22, *(len(node.id) for node in pipeline.components)))

    if store.exists(plan.metadata):
        withdrawal.mend(metadata_store.MetadataStore(plan.metadata), str(plan.push_directory))
    root = plan.pipeline_root(pipeline.pipeline_info.pipeline_name)

    def on_node(event: local_runner.NodeEvent) -> None:
        display.on_node(event)
        if event.seconds is None:
            session.check_held()
            unfinished.note(plan.workdir, event.run_id, root, plan.metadata)
        elif event.error is None:
            checkpoint.sweep(Path(plan.checkpoint_dir(event.node)))

    unsubscribe = progress.subscribe(display.on_training, display.on_remark)
    try:
        local_runner.run(pipeline, on_node)
    except Exception as error:
        display.close()
        with suppress(OSError):  # the log's disk may be full
            traceback.print_exc()
        cause = (display.failed and display.failed.error) or error
        if termination.came():
            raise termination.Terminated from error
        if isinstance(cause, KeyboardInterrupt):
            raise KeyboardInterrupt from error
        try:
            session.check_held()
        except UserError as removed:  # whatever else came of it
            cause = removed
        where = f"{display.failed.node}: " if display.failed else ""
        what = str(cause) if isinstance(cause, UserError) else troubles.explained(cause)
        console.print(
            f"\n[bold red]Failed.[/] {escape(where + what)}",
            highlight=False,
            soft_wrap=True,
        )
        console.print(
            f"The whole story is in {escape(str(session.log))}", highlight=False, soft_wrap=True
        )
        return None
    finally:
        display.close()
        unsubscribe()
        with suppress(Exception):  # what prevents it may be what ended the run
            unfinished.end(plan.workdir, plan.metadata)
    return display.run_id


def _print_head(console: Console, plan: run_plan.Plan) -> None:
    config = plan.config
    counts = ", ".join(f"{count:,} {split}" for split, count in plan.counts.items())
    console.print(
        f"[bold]{config.name}[/]: {escape(config.teacher.label)} -> "
        f"{escape(config.student.label)} by {methods.label(config.method)}",
        highlight=False,
    )
    console.print(f"data: {escape(plan.source)} ({counts})", highlight=False, soft_wrap=True)


def _print_graph(console: Console, plan: run_plan.Plan) -> None:
    with loading.uncollected():
        from pipeline import graph

    console.print("\nThe graph, each node with what it waits for:\n")
    for node in graph.create_pipeline(plan).components:
        upstream = ", ".join(sorted(upstream.id for upstream in node.upstream_nodes))
        console.print(f"  {node.id:<22}{upstream}", highlight=False, soft_wrap=True)
