"""The command `tfx-distill explain`: what the gate decided of a run, bound by bound."""

import json
import os

from ml_metadata import metadata_store
from rich.console import Console
from rich.markup import escape

from components import decision, provenance
from components.decision import Decision
from kd_trainer.errors import ConfigError
from pipeline import bounds, pushes, version_lineage
from pipeline.history import History, Run


def show(store: metadata_store.MetadataStore, run_id: str | None, as_json: bool) -> int:
    """Prints the decision and every bound.

    Args:
      store: ML Metadata.
      run_id: the run's id, or a version that it pushed; None for the newest that has a decision.
      as_json: print the decision as a JSON document, with `run` and `pipeline` beside.

    Returns:
      The exit status.

    Raises:
      ConfigError: there is no run, no such run, or no decision, or gc removed it.
    """
    history = History(store)
    run = pushes.find_run(history, run_id) if run_id else _newest(history)
    artifact = run.output(pushes.GATE_DECISION)
    if artifact is None:
        raise ConfigError(
            f"The run {run.id!r} has no decision, it {pushes.ending(history, run)}: it ended "
            "before the gate. Its log says why."
        )
    if artifact.removed:
        raise ConfigError(
            f"The decision of the run {run.id!r} was removed by `tfx-distill gc`. How it ended, ML "
            f"Metadata still knows: {pushes.ending(history, run)}."
        )
    made = decision.read(artifact.uri)
    if as_json:
        document = {"run": run.id, "pipeline": run.pipeline, **made.model_dump(mode="json")}
        print(json.dumps(document, indent=1))
    else:
        _show(f"{run.pipeline}, run {run.id}", made)
    return 0


def show_version(directory: str, version: str | None, as_json: bool) -> int:
    """Prints the decision on a version, which lies in it.

    Args:
      directory: the push destination.
      version: None for the newest in service.
      as_json: as `show` does, with `version` beside.

    Raises:
      ConfigError: there is no such version, or it has no decision.
    """
    path = version_lineage.find(directory, version)
    origin = provenance.read(path)
    name, number = origin.run["config"]["name"], os.path.basename(path)
    if as_json:
        beside = {"version": number, "run": origin.run_id or None, "pipeline": name}
        print(json.dumps({**beside, **origin.decision.model_dump(mode="json")}, indent=1))
    else:
        _show(f"{name}, version {number}", origin.decision)
    return 0


def _newest(history: History) -> Run:
    judged = [run for run in history.runs if run.output(pushes.GATE_DECISION)]
    if not judged:
        raise ConfigError("No run has a decision: each ended before the gate.")
    return judged[-1]


def _show(what: str, made: Decision) -> None:
    console = Console(highlight=False)
    colour = "green" if made.blessed else "red"
    console.print(f"[bold {colour}]{made.verdict.capitalize()}[/]: {escape(what)}")
    console.print(f"Baseline: {escape(made.baseline_reason)}.", soft_wrap=True)
    if made.rebaseline:
        console.print("Rebaselined: comparisons with the baseline are no bounds.")
    width = max(len(bound.key) for bound in made.bounds)
    for bound in made.bounds:
        verdict = "[green]pass  [/]" if bound.passed else "[red]refuse[/]"
        sentence = escape(bounds.sentence(bound))
        console.print(f"{verdict}  {bound.key:<{width}}  {sentence}", soft_wrap=True)
