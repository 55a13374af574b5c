"""What a run hands to the pusher, beside the model."""

from typing import Any

import pytest

from components.decision import Bound, Decision
from components.profile import NetworkProfile, Profile
from kd_trainer.labels import COARSE_LABELS, FINE_LABELS
from pipeline import config


@pytest.fixture
def profile() -> Profile:
    """Figures that are all different, so that a card that mixes them up is found."""
    networks = {
        name: NetworkProfile(
            top1=0.8012 + n / 1000,
            top5=0.9034 + n / 1000,
            calibration_error=0.0156 + n / 1000,
            parameters=None if name.startswith("tflite") else 70_001 + n,
            bytes=900_002 + n,
            latency_ms=1.25 + n,
            latency_ratio=0.5,
            agreement=0.7078 + n / 1000,
            divergence=0.0512 + n / 1000,
        )
        for n, name in enumerate(
            ["teacher", "baseline", "student", "tflite float32", "tflite int8"]
        )
    }
    return Profile(
        class_names=list(FINE_LABELS), superclass_names=list(COARSE_LABELS), networks=networks
    )


@pytest.fixture
def decision() -> Decision:
    accuracy = Bound(
        key="gate.min_accuracy",
        metric="top-1 accuracy",
        subject="student",
        slice="overall",
        value=0.8032,
        bound=0.6123,
        is_minimum=True,
        unit="share",
        passed=True,
        judge="TFMA",
    )
    drop = {
        "key": "gate.max_superclass_drop",
        "metric": "the baseline's top-1 minus the student's",
        "slice": "large_man-made_outdoor_things",
        "value": -0.0145,
        "bound": 0.0267,
        "is_minimum": False,
        "unit": "points",
    }
    size = {
        "key": "gate.max_bytes",
        "metric": "bytes of the SavedModel",
        "value": 900_004.0,
        "bound": 1_000_006.0,
        "is_minimum": False,
        "unit": "bytes",
        "judge": "budget",
    }
    return Decision(
        blessed=True,
        rebaseline=False,
        baseline="champion",
        champion_version="1795368000",
        baseline_reason="version 1795368000 is the newest pushed one",
        in_service="",
        bounds=[accuracy, *(accuracy.model_copy(update=other) for other in (drop, size))],
    )


@pytest.fixture
def run() -> dict[str, Any]:
    """A run's record, as `run.json` holds it."""
    return {
        "command": ["tfx-distill", "run", "--preset", "quick", "--set", "seed=7"],
        "config": config.load("quick", ["seed=7"]).model_dump(mode="json"),
        "code": {"revision": "0123abcd" * 5, "modified": False, "fingerprint": "89ef" * 16},
        "environment": {
            "python": "3.10.13",
            "platform": "Linux-6.1-x86_64",
            "libraries": {"keras": "3.12.0", "tensorflow": "2.16.2"},
        },
    }
