"""Which run pushed what, and how each run ended."""

import difflib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from kd_trainer.errors import ConfigError
from pipeline.history import Artifact, History, Run

PUSHED_MODEL = "PushedModel"
GATE_DECISION = "components.GateDecision"
COMPARISON = "components.ComparisonTable"
_LISTED = 10


@dataclass(frozen=True)
class Push:
    """A version in service, or once in service.

    Attributes:
      version: its number.
      run: the run that pushed it; later ones may have found it in service already.
      artifact: the `PushedModel` of that run.
    """

    version: str
    run: Run
    artifact: Artifact


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes:
      outcome: `pushed`; `unchanged`, the student is a version that an earlier run pushed; `refused`
        by the gate; `overtaken`, another run pushed meanwhile; `compared`, it was to push nothing;
        `failed`; `stopped`, by a signal or with its process; `unfinished`, it is running, or was
        killed and the next start will see to it.
      version: the version that holds its student.
      refused_by: the bounds that refused it, as `GateDecision` names them.
      node: the node that failed or was stopped, or that ran last.
    """

    outcome: Literal[
        "pushed",
        "unchanged",
        "refused",
        "overtaken",
        "compared",
        "failed",
        "stopped",
        "unfinished",
    ]
    version: str | None = None
    refused_by: str | None = None
    node: str | None = None

    def __str__(self) -> str:
        by = f" by {self.refused_by}" if self.refused_by else ""  # a run from before it was told
        return {
            "pushed": f"pushed {self.version}",
            "unchanged": f"unchanged, in service as {self.version}",
            "refused": f"refused{by}",
            "overtaken": "overtaken by another push",
            "compared": "compared",
            "failed": f"failed at {self.node}",
            "stopped": f"stopped at {self.node}",
            "unfinished": f"running or killed at {self.node}",
        }[self.outcome]


@lru_cache(maxsize=1)  # each run's ending asks for them
def pushes(history: History) -> list[Push]:
    """Returns the pushed versions, oldest first."""
    found: dict[Any, Push] = {}
    for run in history.runs:
        artifact = run.output(PUSHED_MODEL)
        if artifact and artifact.properties["pushed"]:
            version = artifact.properties["pushed_version"]
            found.setdefault(_place(artifact), Push(version, run, artifact))
    return list(found.values())


def find(history: History, version: str | None, name: str | None = None) -> Push:
    """Returns a push.

    Args:
      history: what to look in.
      version: None is the newest.
      name: look at this pipeline's alone.

    Raises:
      ConfigError: there is none, with those there are, or several pipelines pushed that version.
    """
    known = [push for push in pushes(history) if name in (None, push.run.pipeline)]
    found = [push for push in known if version in (None, push.version)]
    if not known:
        whose = f"The pipeline {name!r} has" if name else "These runs have"
        raise ConfigError(f"{whose} pushed nothing yet. `tfx-distill runs` says what they did.")
    if not found:
        raise ConfigError(f"No version {version!r} was pushed. {_listing(known)}")
    if version and len(found) > 1:
        raise ConfigError(
            f"The version {version!r} was pushed more than once. Say which pipeline's with --name: "
            f"{', '.join(sorted({push.run.pipeline for push in found}))}."
        )
    return found[-1]


def find_run(history: History, text: str) -> Run:
    """Returns a run by its id, or by a version that it pushed.

    Raises:
      ConfigError: there is none.
    """
    runs = {run.id: run for run in history.runs}
    if text in runs:
        return runs[text]
    versions = {push.version for push in pushes(history)}
    if text in versions:
        return find(history, text).run
    near = difflib.get_close_matches(text, [*runs, *versions], n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise ConfigError(
        f"There is no run and no pushed version {text!r}.{hint} `tfx-distill runs` lists both."
    )


def ending(history: History, run: Run) -> Ending:
    """Returns how a run ended."""
    by_state = {node.state: node.id for node in reversed(run.nodes)}
    pushed = run.output(PUSHED_MODEL)
    if "FAILED" in by_state:
        return Ending("failed", node=by_state["FAILED"])
    if "CANCELED" in by_state:
        return Ending("stopped", node=by_state["CANCELED"])
    if "RUNNING" not in by_state and run.nodes[-1].id == "Leaderboard":
        return Ending("compared")
    if "RUNNING" in by_state or pushed is None:
        return Ending("unfinished", node=by_state.get("RUNNING", run.nodes[-1].id))
    if pushed.properties.get("reason"):
        return Ending("overtaken")
    if not pushed.properties["pushed"]:
        decision = run.output(GATE_DECISION)
        by = decision.properties["refused_by"] if decision else None
        return Ending("refused", refused_by=by)
    version = pushed.properties["pushed_version"]
    [first] = [push for push in pushes(history) if _place(push.artifact) == _place(pushed)]
    return Ending("pushed" if first.run is run else "unchanged", version=version)


def _place(artifact: Artifact) -> tuple[str, str]:
    properties = artifact.properties
    return properties["pushed_destination"], properties["pushed_version"]


def _listing(known: list[Push]) -> str:
    newest = [push.version for push in reversed(known)]
    more = f" and {len(newest) - _LISTED} older" if len(newest) > _LISTED else ""
    return f"The newest first, there are {', '.join(newest[:_LISTED])}{more}."
