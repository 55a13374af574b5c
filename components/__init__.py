"""The TFX components of our own, one folder each: component.py, executor.py, README.md."""

import importlib
from typing import Any

import kd_trainer  # noqa: F401 (sets TensorFlow's environment, before an executor loads it)


def __getattr__(name: str) -> Any:
    # Kubeflow finds an artifact type as `components.<Name>`; importing it needs TFX, so only then.
    if name[:1].isupper():
        return getattr(importlib.import_module("components.artifacts"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
