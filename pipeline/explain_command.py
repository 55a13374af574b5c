"""The command `tfx-distill explain`: what the gate decided of a run, bound by bound."""

import json
from pathlib import Path

from ml_metadata import metadata_store
from rich.console import Console
from rich.markup import escape

from components import decision
from components.decision import Decision
from kd_trainer.errors import ConfigError
from pipeline import bounds, run_artifacts
from pipeline.store import sqlite


def explain(run_id: str | None, workdir: Path, as_json: bool) -> int:
    """Prints the decision and every bound.

    Args:
      run_id: the run; None for the newest that has a decision.
      workdir: of the run.
      as_json: print the decision as a JSON document, with `run` and `pipeline` beside.

    Returns:
      The exit status.

    Raises:
      ConfigError: there is no run, no such run, or no decision.
    """
    metadata = workdir.absolute() / "metadata.sqlite"
    if not metadata.is_file():
        raise ConfigError(
            f"There is no run in {str(workdir)!r}: {str(metadata)!r} is missing. Give the workdir "
            "of a run with --workdir."
        )
    store = metadata_store.MetadataStore(sqlite(metadata))
    found, made = _newest(store) if run_id is None else (run_id, _decision(store, run_id))
    if made is None:
        raise ConfigError(
            f"The run {found!r} has no decision: it ended before the gate. Its log is in "
            f"{str(workdir / 'logs')!r}."
        )
    name = run_artifacts.pipeline_name(store, found)
    if as_json:
        document = {"run": found, "pipeline": name, **made.model_dump(mode="json")}
        print(json.dumps(document, indent=1))
    else:
        _show(found, name, made)
    return 0


def _decision(store: metadata_store.MetadataStore, run_id: str) -> Decision | None:
    gate = run_artifacts.outputs(store, run_id).get("StudentGate")
    return decision.read(gate["decision"].uri) if gate else None


def _newest(store: metadata_store.MetadataStore) -> tuple[str, Decision]:
    for run_id in reversed(run_artifacts.run_ids(store)):
        if made := _decision(store, run_id):
            return run_id, made
    raise ConfigError("No run has a decision: each ended before the gate.")


def _show(run_id: str, name: str, made: Decision) -> None:
    console = Console(highlight=False)
    colour = "green" if made.blessed else "red"
    console.print(f"[bold {colour}]{made.verdict.capitalize()}[/]: {name}, run {escape(run_id)}")
    console.print(f"Baseline: {escape(made.baseline_reason)}.", soft_wrap=True)
    if made.rebaseline:
        console.print("Rebaselined: comparisons with the baseline are no bounds.")
    width = max(len(bound.key) for bound in made.bounds)
    for bound in made.bounds:
        verdict = "[green]pass  [/]" if bound.passed else "[red]refuse[/]"
        sentence = escape(bounds.sentence(bound))
        console.print(f"{verdict}  {bound.key:<{width}}  {sentence}", soft_wrap=True)
