"""What `tfx-distill kubeflow list` shows."""

import json
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipeline.cluster import schedules, trigger
from pipeline.cluster.service import Job, Run, Service

_RUNS = 10


def collect(service: Service) -> dict[str, list[dict[str, Any]]]:
    """Returns the recurring runs, each with its newest run, and the newest runs, as JSON."""
    runs = service.newest_runs()
    newest = {run.recurring_run_id: run for run in reversed(runs)}
    return {
        "recurring_runs": [
            _recurring(job, newest.get(job.recurring_run_id)) for job in service.recurring()
        ],
        "runs": [_run(run) for run in runs[:_RUNS]],
    }


def show(console: Console, listed: dict[str, list[dict[str, Any]]]) -> None:
    """Prints what `collect` returned: a table of the recurring runs, a table of the runs."""
    recurring = Table(title="Recurring runs", title_justify="left")
    for heading in ("name", "schedule", "", "last run"):
        recurring.add_column(heading)
    for job in listed["recurring_runs"]:
        last = job["last_run"]
        recurring.add_row(
            escape(job["name"]),
            escape(job["schedule"]),
            "enabled" if job["enabled"] else "paused",
            f"{last['state'].lower()}, {last['created_at']}" if last else "",
        )
    runs = Table(title="Newest runs", title_justify="left")
    for heading in ("name", "state", "created", "id"):
        runs.add_column(heading, no_wrap=heading == "id")
    for run in listed["runs"]:
        runs.add_row(escape(run["name"]), run["state"].lower(), run["created_at"], run["id"])
    console.print(recurring, runs, sep="\n")


def as_json(listed: dict[str, list[dict[str, Any]]]) -> str:
    """Returns what `collect` returned, for a program to read."""
    return json.dumps(listed, indent=2)


def _recurring(job: Job, last: Run | None) -> dict[str, Any]:
    return {
        "name": job.display_name,
        "id": job.recurring_run_id,
        "schedule": trigger.text(job.trigger.to_dict()) if job.trigger else "",
        "enabled": schedules.is_enabled(job),
        "last_run": _run(last) if last else None,
    }


def _run(run: Run) -> dict[str, Any]:
    return {
        "name": run.display_name,
        "id": run.run_id,
        "state": run.state or "UNKNOWN",
        "created_at": run.created_at.isoformat(timespec="minutes"),
    }
