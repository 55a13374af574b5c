"""The command `diff`: what changed between two runs."""

import json
from collections.abc import Mapping
from typing import Any

from ml_metadata import metadata_store
from rich.console import Console
from rich.markup import escape

from pipeline import lineage, pushes
from pipeline.history import History, Run

_DATA = ("source", "archive_md5", "data_fingerprint")


def show(store: metadata_store.MetadataStore, a: str, b: str, as_json: bool) -> int:
    """Prints what changed.

    Args:
      store: ML Metadata.
      a: a run's id, or a version that it pushed.
      b: another one.
      as_json: print a JSON document.

    Raises:
      ConfigError: there is no such run.
    """
    history = History(store)
    one, other = (pushes.find_run(history, text) for text in (a, b))
    removed = [run.id for run in (one, other) if _results_removed(run)]
    changes = {
        section: _changes(before, after)
        for (section, before), after in zip(
            _facts(history, one).items(), _facts(history, other).values(), strict=True
        )
    }
    if as_json:
        document = {"a": one.id, "b": other.id, "changes": changes, "removed": removed}
        print(json.dumps(document, indent=1))
        return 0
    console = Console(highlight=False)
    console.print(f"from {one.id} to {other.id}")
    for section, changed in changes.items():
        console.print(f"\n[bold]{section}[/]" + ("" if changed else ": nothing"))
        for key, (before, after) in changed.items():
            text = f"  {key}: {_text(before)} -> {_text(after)}"
            console.print(escape(text), soft_wrap=True)
    if removed:
        console.print(
            f"\nThe files with the accuracies of {' and '.join(removed)} were removed by gc.",
            soft_wrap=True,
        )
    return 0


def _facts(history: History, run: Run) -> dict[str, dict[str, Any]]:
    """Returns what is compared, by section, each a flat document."""
    record = lineage.record(history, run) or {}
    examples = run.output("Examples")
    data = examples.properties if examples else {}
    counts = {key: value for key, value in data.items() if key.endswith("_count")}
    return {
        "config": _flat(record.get("config", {})),
        "data": {**{key: data[key] for key in _DATA if key in data}, **counts},
        "code": _flat(record.get("code", {})),
        "environment": _flat(record.get("environment", {})),
        "results": _results(history, run),
    }


def _results_removed(run: Run) -> bool:
    files = (run.output(lineage.SUMMARY), run.output(lineage.PROFILE))
    return any(file.removed for file in files if file)


def _results(history: History, run: Run) -> dict[str, Any]:
    summary = lineage.document(run.output(lineage.SUMMARY)) or {"test": {}}
    profile = lineage.document(run.output(lineage.PROFILE)) or {"networks": {}}
    measured = {**summary["test"], **profile["networks"]}
    top1 = {f"{name} top-1": result["top1"] for name, result in measured.items()}
    return {**top1, "outcome": str(pushes.ending(history, run))}


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Returns the old and the new value of each key that changed; None where there is none."""
    keys = [*before, *(key for key in after if key not in before)]
    pairs = {key: [before.get(key), after.get(key)] for key in keys}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def _flat(document: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(document, Mapping):
        return {prefix: document}
    return {
        key: value
        for name, item in document.items()
        for key, value in _flat(item, f"{prefix}.{name}".lstrip(".")).items()
    }


def _text(value: Any) -> str:
    return "(none)" if value is None else json.dumps(value)
