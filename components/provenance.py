"""Where a pushed version comes from, as a document that lies in the version.

It is enough to explain a version where there is no ML Metadata to ask, as on a cluster's volume.
This module imports no TFX, which takes seconds.
"""

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from components.decision import Decision
from components.serving_versions import PROVENANCE
from kd_trainer.errors import ConfigError

STORE_ID = "kubeflow_artifact"
"""The property that names an artifact as Kubeflow's metadata store does, which TFX cannot."""


class Provenance(BaseModel):
    """The document.

    Attributes:
      format: of the document.
      time: of the push, ISO 8601 with the time zone.
      run_id: the run's in ML Metadata; empty where Kubeflow ran it, which does not tell.
      run: the run's record, as `RunRecorder` writes it.
      decision: the gate's.
      summary: of the student's training, as `DistillTrainer` writes it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    time: str
    run_id: str
    run: dict[str, Any]
    decision: Decision
    summary: dict[str, Any]


def write(provenance: Provenance, version: str) -> None:
    """Writes the document into a version's folder."""
    Path(version, PROVENANCE).write_text(provenance.model_dump_json(indent=1), encoding="utf-8")


def read(version: str) -> Provenance:
    """Reads the document of a version.

    Args:
      version: its folder.

    Raises:
      ConfigError: it has none, or one that this release does not know.
    """
    path = os.path.join(version, PROVENANCE)
    try:
        return Provenance.model_validate_json(Path(path).read_bytes())
    except FileNotFoundError as error:
        raise ConfigError(
            f"{version} has no {PROVENANCE}: it was pushed by a release of tfx-distill that wrote "
            "none, or by something else. Give the workdir of its run with --workdir."
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise ConfigError(
            f"{path} is no document of the format 1: {where}: {first['msg']}. A newer release of "
            "tfx-distill may have written it; read it with that one."
        ) from error
