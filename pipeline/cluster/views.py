"""What Kubeflow's pages show of a task: a page, figures to compare runs by, a confusion matrix.

Kubeflow shows artifacts of its own types alone (`MetricsVisualizations.tsx` in its frontend), which
TFX does not know. A task declares them beside those of its component, and the entry point makes
them of what the component wrote: the page, the numbers among its artifact's properties, and
`confusion.json`.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PAGE, METRICS, CONFUSION = "page", "metrics", "confusion_matrix"
_TITLES = {
    PAGE: "system.HTML",
    METRICS: "system.Metrics",
    CONFUSION: "system.ClassificationMetrics",
}

Artifacts = Mapping[str, dict[str, Any]]


def declared(*keys: str) -> dict[str, Any]:
    """Returns the outputs that a component declares for some of the views."""
    return {
        key: {"artifactType": {"schemaTitle": _TITLES[key], "schemaVersion": "0.0.1"}}
        for key in keys
    }


def made(views: Artifacts, written: Mapping[str, Any], folder: Path) -> dict[str, dict[str, Any]]:
    """Makes views, and returns them as they are reported.

    Args:
      views: those that the task is asked for, by key, with local paths.
      written: the component's own artifact, as it was reported.
      folder: where that lies.
    """
    reported = {}
    for key, artifact in views.items():
        metadata: dict[str, Any] = {}
        if key == PAGE:
            (page,) = folder.glob("*.html")
            Path(artifact["uri"]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(page, artifact["uri"])
        elif key == METRICS:
            metadata = {
                name: value
                for name, value in written["metadata"].items()
                if isinstance(value, float | int)
            }
        else:
            content = json.loads((folder / "confusion.json").read_text(encoding="utf-8"))
            metadata = {
                # As kfp's dsl.ClassificationMetrics.log_confusion_matrix writes it.
                "confusionMatrix": {
                    "annotationSpecs": [{"displayName": name} for name in content["names"]],
                    "rows": [{"row": row} for row in content["counts"]],
                }
            }
        reported[key] = {"uri": artifact["uri"], "metadata": metadata}
    return reported
