"""The command `runs`: the runs, and how they ended."""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from ml_metadata import metadata_store
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kd_trainer import methods
from pipeline import lineage, pushes
from pipeline.history import History, Run
from pipeline.lineage_command import when

_WIDTH = 1000
# The nodes whose student the gate judges.
_JUDGED = ("DistillTrainer", "BestStudent")


def show(store: metadata_store.MetadataStore, as_json: bool) -> int:
    """Prints the runs, the oldest first.

    Args:
      store: ML Metadata.
      as_json: print a JSON document, not a table.
    """
    history = History(store)
    rows = [_row(history, run) for run in history.runs]
    if as_json:
        print(json.dumps(rows, indent=1))
        return 0
    table = Table(box=None, pad_edge=False)
    for heading in ("run", "when", "pipeline", "networks", "method", "outcome"):
        table.add_column(heading)
    for heading in ("top-1", "seconds"):
        table.add_column(heading, justify="right")
    for row in rows:
        networks = f"{row['teacher']} -> {row['student']}" if row["teacher"] else "–"
        ending = pushes.Ending(**{field.name: row[field.name] for field in fields(pushes.Ending)})
        outcome = f"{ending}, files removed" if row["removed"] else str(ending)
        texts = [row["id"], when(row["time"]), row["pipeline"], networks, row["method"] or "–"]
        top1 = "–" if row["top1"] is None else f"{row['top1']:.2%}"
        table.add_row(*map(escape, [*texts, outcome]), top1, f"{row['seconds']:.0f}")
    # A line a run, however narrow the terminal is.
    Console(highlight=False, width=_WIDTH).print(table, crop=False)
    return 0


def _row(history: History, run: Run) -> dict[str, Any]:
    config = (lineage.record(history, run) or {}).get("config")
    students = [node.outputs["model"] for node in run.nodes if node.id in _JUDGED]
    ended = max(node.ended for node in run.nodes)
    return {
        "id": run.id,
        "time": run.started.isoformat(timespec="seconds"),
        "pipeline": run.pipeline,
        "teacher": config and _network(config["teacher"]),
        "student": config and _network(config["student"]),
        "method": config and _method(config, run),
        **asdict(pushes.ending(history, run)),
        "top1": students[0].properties["test_top1"] if students else None,
        "removed": any(artifact.removed for artifact in run.outputs),
        "seconds": round((ended - run.started).total_seconds(), 1),
    }


def _method(config: Mapping[str, Any], run: Run) -> str:
    if run.pipeline == config["name"]:
        return methods.label(config["method"])
    table = run.output(pushes.COMPARISON)
    return f"several, best: {table.properties['best']}" if table else "several"


def _network(section: Mapping[str, Any]) -> str:
    return section["network"] or Path(section["from"]).name
