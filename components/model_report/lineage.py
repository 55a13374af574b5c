"""The chain from the data to the pushed model, as a drawing."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tfx.types import Artifact
from tfx.utils import io_utils

from components.model_report import formats
from components.model_report.run import Run
from components.provenance import STORE_ID

NODE_WIDTH, NODE_HEIGHT = 140, 86
_GAP, _ROW = 21, 108
ARROW = 5
WIDTH, HEIGHT = 7 * NODE_WIDTH + 6 * _GAP, _ROW + NODE_HEIGHT

# Column and row of each artifact; one that stands alone in its column stands between the rows.
_PLACES = {
    "examples": (0, 0.5),
    "schema": (1, 0.5),
    "teacher": (2, 0),
    "baseline": (2, 1),
    "student": (3, 0),
    "evaluation": (4, 0),
    "profile": (4, 1),
    "decision": (5, 0.5),
    "pushed_model": (6, 0.5),
}
_TITLES = {"examples": "data", "pushed_model": "pushed"}
_EDGES = [
    ("examples", "schema"),
    ("schema", "teacher"),
    ("schema", "baseline"),
    ("teacher", "student"),
    ("student", "evaluation"),
    ("student", "profile"),
    ("baseline", "evaluation"),
    ("baseline", "profile"),
    ("evaluation", "decision"),
    ("profile", "decision"),
    ("decision", "pushed_model"),
]


@dataclass(frozen=True)
class Node:
    """An artifact.

    Attributes:
      title: what it is.
      id: in ML Metadata.
      facts: what is told of it, at most three short lines.
      properties: all that ML Metadata holds of it, by name.
      x: its left edge.
      y: its upper edge.
    """

    title: str
    id: str
    facts: list[str]
    properties: dict[str, str]
    x: float
    y: float


@dataclass(frozen=True)
class Lineage:
    """The drawing: nodes, and the SVG paths between them."""

    nodes: list[Node]
    edges: list[str]


def draw(run: Run) -> Lineage:
    """Draws a run's lineage."""
    facts = _facts(run)
    nodes = {
        key: Node(
            title=_TITLES.get(key, key),
            id=_id(run.artifacts[key]),
            facts=facts[key],
            properties=_properties(run.artifacts[key]),
            x=column * (NODE_WIDTH + _GAP),
            y=row * _ROW,
        )
        for key, (column, row) in _PLACES.items()
    }
    return Lineage(
        list(nodes.values()), [_edge(nodes[source], nodes[target]) for source, target in _EDGES]
    )


def _id(artifact: Artifact) -> str:
    return artifact.get_string_custom_property(STORE_ID) or str(artifact.id)


def _facts(run: Run) -> dict[str, list[str]]:
    examples, profile, decision = run.artifacts["examples"], run.profile, run.decision
    passed = sum(bound.passed for bound in decision.bounds)
    pushed = run.artifacts["pushed_model"].get_string_custom_property("pushed_version")
    imported = run.artifacts["teacher"].get_string_custom_property("sha256")
    top1 = {
        network: f"top-1 {formats.share(profile.networks[network].top1)}"
        for network in ("teacher", "baseline", "student")
    }
    schema = io_utils.get_only_uri_in_dir(run.artifacts["schema"].uri)
    return {
        "examples": [
            f"{examples.get_int_custom_property('train_count'):,} train",
            f"{len(run.labels):,} test",
            _short(examples.get_string_custom_property("data_fingerprint")),
        ],
        "schema": [
            Path(schema).name,
            _short(hashlib.sha256(Path(schema).read_bytes()).hexdigest()),
        ],
        "teacher": [
            run.networks["teacher"],
            top1["teacher"],
            f"imported {imported[:8]}…" if imported else f"seed {run.record['config']['seed']}",
        ],
        "baseline": [*run.networks["baseline"].split(", ", 1), top1["baseline"]],
        "student": [*run.networks["student"].split(", ", 1), top1["student"]],
        "evaluation": ["on the test split"],
        "profile": [f"{len(profile.networks)} networks", f"{len(run.labels):,} images"],
        "decision": [
            "blessed" if decision.blessed else "refused",
            f"{passed} of {len(decision.bounds)} pass",
        ],
        "pushed_model": [f"version {pushed}"] if pushed else ["not pushed"],
    }


def _properties(artifact: Artifact) -> dict[str, str]:
    stored: Mapping = artifact.mlmd_artifact.custom_properties
    return {
        "type": artifact.type_name,
        "uri": artifact.uri,
        **{
            name: str(getattr(value, value.WhichOneof("value")))
            for name, value in sorted(stored.items())
        },
    }


def _edge(source: Node, target: Node) -> str:
    """Runs level until the gap before the target, so that it passes behind what is between."""
    x, y = source.x + NODE_WIDTH, source.y + NODE_HEIGHT / 2
    end, level = target.x, target.y + NODE_HEIGHT / 2
    middle = end - _GAP / 2
    return f"M{x} {y}H{end - _GAP}C{middle} {y} {middle} {level} {end - ARROW} {level}"


def _short(digest: str) -> str:
    return f"sha256 {digest[:8]}…"
