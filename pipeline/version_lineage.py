"""Where a version comes from, read in the version's folder, where there is no ML Metadata."""

import os
from typing import Any

from components import provenance
from components.provenance import Provenance
from components.serving_versions import WITHDRAWN, versions, withdrawal, withdrawn
from kd_trainer.errors import ConfigError, nearest

# Of what ML Metadata would tell.
_UNKNOWN = {"artifact": None, "uri": None, "run": None, "removed": False}


def find(directory: str, version: str | None) -> str:
    """Returns the folder of a version that is in service, or was withdrawn.

    Args:
      directory: the push destination.
      version: its number; None for the newest in service.

    Raises:
      ConfigError: there is no such version.
    """
    serving = versions(directory)
    if version is None:
        if not serving:
            raise ConfigError(f"--directory: {directory!r} holds no version.")
        return serving[-1]
    paths = {os.path.basename(path): path for path in [*withdrawn(directory), *serving]}
    if version not in paths:
        hint = nearest(version, list(paths)) if paths else "There are none."
        raise ConfigError(f"{directory!r} holds no version {version!r}. {hint}")
    return paths[version]


def trace(path: str) -> dict[str, Any]:
    """Returns the lineage of a version, as `pipeline.lineage.trace` does of one in ML Metadata.

    What ML Metadata alone knows, the ids of artifacts and the runs that made each, is None.

    Args:
      path: the version's folder.

    Raises:
      ConfigError: it does not tell where it comes from.
    """
    origin = provenance.read(path)
    config, decision, summary = origin.run["config"], origin.decision, origin.summary
    return {
        "version": os.path.basename(path),
        "pipeline": config["name"],
        "push": _push(path, origin),
        "gate": {
            **_UNKNOWN,
            "blessed": decision.blessed,
            "decision": decision.model_dump(mode="json"),
            "evaluations": [],
        },
        "student": {
            **_UNKNOWN,
            "network": summary["student"],
            **{key: summary[key] for key in ("method", "recipe", "seed")},
            "summary": {key: summary[key] for key in ("test", "parameters", "seconds")},
        },
        "teacher": _teacher(origin),
        "baseline": _baseline(origin),
        "examples": {**_UNKNOWN, **summary["origins"]["examples"]},
        "schema": {**_UNKNOWN, "file": config["data"]["schema_path"] or "schemas/cifar100.pbtxt"},
        "runs": {
            origin.run_id: {
                "pipeline": config["name"],
                "time": origin.time,
                **{key: origin.run[key] for key in ("command", "code", "environment")},
            }
        },
    }


def _push(path: str, origin: Provenance) -> dict[str, Any]:
    directory, number = os.path.split(path)
    is_withdrawn = os.path.basename(directory) == WITHDRAWN
    served = os.path.join(os.path.dirname(directory), number) if is_withdrawn else path
    record = (is_withdrawn and withdrawal(served)) or {}
    decision = origin.decision
    return {
        **_UNKNOWN,
        "run": origin.run_id or None,
        "destination": served,
        "time": origin.time,
        "rebaselined_over": (decision.rebaseline and decision.champion_version) or None,
        "withdrawn": is_withdrawn,
        "withdrawn_reason": record.get("reason") or None,
    }


def _baseline(origin: Provenance) -> dict[str, Any]:
    config, decision = origin.run["config"], origin.decision
    chosen = {
        **_UNKNOWN,
        "choice": decision.baseline,
        "champion_version": decision.champion_version,
        "reason": decision.baseline_reason,
    }
    if decision.baseline == "champion":
        return chosen
    trained = {
        "network": origin.summary["student"],
        "recipe": config["recipe"],
        "seed": config["seed"],
    }
    return {**chosen, "from_scratch": {**_UNKNOWN, **trained}}


def _teacher(origin: Provenance) -> dict[str, Any]:
    imported, config = origin.summary["origins"]["teacher"], origin.run["config"]
    if imported:
        return {**_UNKNOWN, "origin": "imported", **imported}
    return {
        **_UNKNOWN,
        "origin": "trained",
        "network": config["teacher"]["network"],
        "recipe": config["teacher"]["recipe"] or config["recipe"],
        "seed": config["seed"],
    }
