"""Waiting for a run, with a line for each task that starts or ends."""

import time
from collections.abc import Set

from kfp_server_api import V2beta1PipelineTaskDetail as Task
from rich.console import Console
from rich.markup import escape

from pipeline.cluster.errors import ServerError, explained
from pipeline.cluster.service import Run, Service

# Seconds between two looks, and how many in a row may fail: a training takes hours, in which the
# server may well be updated.
PAUSE = 10.0
PATIENCE = 30

_MARKS = {
    "RUNNING": "▸",
    "SUCCEEDED": "[green]✓[/]",
    "SKIPPED": "[dim]✓[/]",
    "FAILED": "[red]✗[/]",
    "CANCELED": "[red]✗[/]",
}
_ENDED = _MARKS.keys() - {"RUNNING"}


def wait(service: Service, host: str, run_id: str, tasks: Set[str]) -> str:
    """Waits until a run has ended.

    Args:
      service: where it runs.
      host: the server, for its errors.
      run_id: which.
      tasks: the pipeline's; the server also tells of what it runs around them.

    Returns:
      Its state: `SUCCEEDED`, `FAILED`, `CANCELED` or `SKIPPED`.

    Raises:
      ConfigError: the server refuses to tell, as when a token has expired.
      ServerError: it has failed to for minutes.
    """
    console = Console(highlight=False, soft_wrap=True)
    shown: dict[str, str] = {}
    while True:
        run = _look(service, host, run_id)
        details = (run.run_details.task_details if run.run_details else None) or []
        for task in details:
            name = task.display_name
            if name in tasks and task.state in _MARKS and shown.get(name) != task.state:
                shown[name] = task.state
                console.print(_line(task))
        if run.state in _ENDED:
            why = f": {run.error.message}" if run.error else ""
            text = escape(f"{run.state.lower()}{why}")
            console.print(f"{_MARKS[run.state]} the run {text}")
            return run.state
        time.sleep(PAUSE)


def _look(service: Service, host: str, run_id: str) -> Run:
    for _ in range(PATIENCE - 1):
        try:
            with explained(host):
                return service.get_run(run_id)
        except ServerError:
            time.sleep(PAUSE)
    with explained(host):
        return service.get_run(run_id)


def _line(task: Task) -> str:
    text = f"{_MARKS[task.state]} {escape(task.display_name):<22}"
    if task.state == "RUNNING":
        return text.rstrip()
    if task.start_time and task.end_time:
        text += f"{(task.end_time - task.start_time).total_seconds():7.1f} s"
    why = f": {task.error.message}" if task.error else ""
    return text if task.state == "SUCCEEDED" else f"{text}  {escape(task.state.lower() + why)}"
