"""What a person sees of a run: a line a node, a live bar for training, a table at the end."""

import math

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from kd_trainer import progress
from pipeline import bounds
from pipeline.local_runner import NodeEvent
from pipeline.outcome import Outcome

_ROLES = ("teacher", "baseline", "student")


class RunDisplay:
    """Shows a run as it goes.

    On a terminal the running node has a live line; elsewhere each node has a line as it starts
    and one as it ends, and training a line an epoch.

    Args:
      console: where to.
      width: of the nodes' names.
    """

    def __init__(self, console: Console, width: int = 22):
        self._console, self._width = console, width
        self._live: Live | None = None
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"),
        )
        self._detail = Text(no_wrap=True, overflow="ellipsis", style="dim")
        self.run_id = ""
        self.failed: NodeEvent | None = None

    def on_node(self, event: NodeEvent) -> None:
        """Shows a node's start or end, and remembers the run and the node that failed."""
        self.run_id = event.run_id
        if event.seconds is None:
            self._start(event.node)
            return
        self._stop()
        if event.error is not None:
            self.failed = event
            mark, note = "[red]✗[/]", "failed"
        elif event.cached:
            mark, note = "[dim]✓[/]", "[dim]cached[/]"
        else:
            mark, note = "[green]✓[/]", ""
        self._console.print(
            f"{mark} {event.node:<{self._width}}{event.seconds:7.1f} s  {note}".rstrip()
        )

    def on_training(self, moment: progress.Progress) -> None:
        """Shows how far training is."""
        logs = "  ".join(f"{name} {value:.3f}" for name, value in _shown(moment.logs).items())
        left = "" if math.isnan(moment.seconds_left) else f"{_clock(moment.seconds_left)} left"
        epoch = f"{moment.stage} {moment.epoch}/{moment.epochs}"
        # What a node trains alone is known by the node.
        who = "" if moment.model in _ROLES else f"{moment.model} "
        detail = f"    {who}{epoch}  {logs}  {moment.images_per_second:.0f} images/s"
        if self._live is not None:
            self._bar.update(
                self._bar.task_ids[0], completed=moment.steps_done, total=moment.steps, left=left
            )
            self._detail.plain = detail
        elif moment.epoch_ended:
            self._console.print(f"{detail}, {left}", highlight=False, soft_wrap=True)

    def on_remark(self, remark: str) -> None:
        """Shows what has happened to a training; the line stays."""
        self._console.print(f"    {remark}", highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Ends the live line, however the run ended."""
        self._stop()

    def _start(self, node: str) -> None:
        if not self._console.is_terminal:
            self._console.print(f"▸ {node}")
            return
        self._bar.add_task(node, total=None, left="")
        self._live = Live(
            Group(self._bar, self._detail),
            console=self._console,
            transient=True,
            # What others print belongs to the log.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._live.start()

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
            self._bar.remove_task(self._bar.task_ids[0])
            self._detail.plain = ""


def show_outcome(console: Console, outcome: Outcome) -> None:
    """Prints the table, what the gate decided and why, where student and report are."""
    table = Table(title="On the test split", title_justify="left")
    for heading in ("", "network"):
        table.add_column(heading)
    compared = any(row.published is not None for row in outcome.rows)
    original = ["original"] if compared else []
    for heading in (*original, "top-1", "top-5", "parameters"):
        table.add_column(heading, justify="right")
    for row in outcome.rows:
        table.add_row(
            row.role,
            escape(row.network),
            *(["" if row.published is None else f"{row.published:.2%}"] if compared else []),
            f"{row.top1:.2%}",
            f"{row.top5:.2%}",
            "–" if row.parameters is None else f"{row.parameters:,}",
        )
    console.print()
    console.print(table)
    if compared:
        console.print(
            f"Original figures of top-1: {escape(outcome.published_source)}.",
            highlight=False,
            soft_wrap=True,
        )
    for use in outcome.teacher_outputs:
        console.print(
            f"The teacher's outputs: {escape(use.sentence)}.", highlight=False, soft_wrap=True
        )
    made = outcome.decision
    console.print(f"Baseline: {escape(made.baseline_reason)}.", highlight=False)
    if made.rebaseline:
        over = f"version {made.champion_version}" if made.champion_version else "the baseline"
        console.print(
            f"Rebaselined: {over} is passed over, comparisons with it are no bounds.",
            highlight=False,
        )
    for bound in bounds.notable(made.bounds):
        verdict = "[green]pass[/]" if bound.passed else "[red]refuse[/]"
        sentence = escape(bounds.sentence(bound))
        console.print(f"Gate: {sentence}: {verdict}", highlight=False, soft_wrap=True)
    if outcome.pushed_to:
        console.print("[bold green]Blessed.[/] The student is in service at")
        console.print(f"  {escape(outcome.pushed_to)}", highlight=False, soft_wrap=True)
    elif outcome.overtaken:
        why = escape(outcome.overtaken)
        console.print(f"[bold red]Overtaken[/], nothing was pushed: {why}.", soft_wrap=True)
        console.print("Run again: the student is then compared with what is in service.")
    else:
        console.print(f"[bold red]{made.verdict.capitalize()}[/]: nothing was pushed.")
    console.print(f"Report: {escape(outcome.report)}", highlight=False, soft_wrap=True)


def _shown(logs: dict[str, float]) -> dict[str, float]:
    """Leaves out the validation's own losses: its accuracy is what is looked at."""
    return {
        name: value
        for name, value in logs.items()
        if not name.startswith("val_") or name == "val_accuracy"
    }


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
