"""The run that a page is about, read from its artifacts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from tfx.types import Artifact, artifact_utils

from components import decision, profile
from components.artifacts import DistillationSummary, ModelProfile, RunRecord
from components.decision import Decision
from components.model_report.curves import Row
from components.profile import Profile
from kd_trainer.errors import DataError

HISTORY = "history.json"
"""What `kd_trainer.training.train` writes into a ModelRun."""

TRAININGS = {"teacher": "teacher_run", "baseline": "baseline_run", "student": "student_run"}
"""The input that holds each network's training."""


@dataclass(frozen=True)
class Run:
    """What the page tells.

    Attributes:
      artifacts: the inputs of the component, by key.
      record: run.json.
      decision: decision.json.
      profile: profile.json.
      summary: summary.json.
      histories: by network, the rows of its training; none of a teacher that was imported.
      images: of `test`, uint8 `(n, 32, 32, 3)`.
      labels: of `test`, int64 `(n,)`.
      coarse_labels: of `test`, int64 `(n,)`.
      probabilities: by network of the profile, float32 `(n, classes)`.
    """

    artifacts: Mapping[str, Artifact]
    record: dict[str, Any]
    decision: Decision
    profile: Profile
    summary: dict[str, Any]
    histories: dict[str, list[Row]]
    images: np.ndarray
    labels: np.ndarray
    coarse_labels: np.ndarray
    probabilities: dict[str, np.ndarray]

    @cached_property
    def predictions(self) -> dict[str, np.ndarray]:
        """By network, the classes that it says, `(n,)`."""
        return {name: values.argmax(1) for name, values in self.probabilities.items()}

    @property
    def config(self) -> dict[str, Any]:
        """The configuration, with the method and seed of the student: a comparison has several."""
        trained = {key: self.summary[key] for key in ("method", "seed")}
        return {**self.record["config"], **trained}

    @cached_property
    def networks(self) -> dict[str, str]:
        """What stands behind each name of the profile, such as `resnet8, from scratch`."""
        config, summary = self.record["config"], self.summary
        small, teacher = _label(config["student"]), _label(config["teacher"])
        parameters, champion = summary["parameters"], self.decision.champion_version
        # DML may export the peer, which has the teacher's architecture.
        own = parameters["student"] == parameters["baseline"]
        exported = small if own else summary["networks"]["student"]
        method = self.artifacts["student"].get_string_custom_property("method")
        return {
            **dict.fromkeys(self.profile.networks, f"{exported}, converted"),
            "teacher": teacher,
            "baseline": f"version {champion}" if champion else f"{small}, from scratch",
            "student": f"{exported}, {method}",
        }


def read(artifacts: Mapping[str, Artifact]) -> Run:
    """Reads a run.

    Args:
      artifacts: the inputs of `ModelReport`, by key.

    Raises:
      DataError: the predictions are not of the examples' split `test`.
    """
    # TensorFlow is loaded where it is needed: the component's definition is not.
    from kd_trainer import examples

    folders = {key: Path(artifact.uri) for key, artifact in artifacts.items()}
    test = examples.load([f"{artifact_utils.get_split_uri([artifacts['examples']], 'test')}/*"])
    with np.load(folders["profile"] / ModelProfile.PREDICTIONS_NAME) as file:
        arrays = dict(file)
    labels, coarse_labels = arrays.pop("labels"), arrays.pop("coarse_labels")
    if not np.array_equal(labels, test.labels):
        raise DataError(
            f"{folders['profile'] / ModelProfile.PREDICTIONS_NAME} holds the labels of "
            f"{len(labels):,} images, which are not those of the {len(test):,} images of the "
            "split 'test'. Give the profile and the examples of one run."
        )
    return Run(
        artifacts=artifacts,
        record=json.loads(
            (folders["run_record"] / RunRecord.FILE_NAME).read_text(encoding="utf-8")
        ),
        decision=decision.read(str(folders["decision"])),
        profile=profile.read(str(folders["profile"])),
        summary=json.loads(
            (folders["summary"] / DistillationSummary.FILE_NAME).read_text(encoding="utf-8")
        ),
        histories={
            network: json.loads((folders[key] / HISTORY).read_text(encoding="utf-8"))
            for network, key in TRAININGS.items()
            if key in folders
        },
        images=test.images,
        labels=labels,
        coarse_labels=coarse_labels,
        probabilities=arrays,
    )


def _label(network: Mapping[str, Any]) -> str:
    return network["network"] or Path(network["from"]).name
