"""The library on Keras's JAX backend: the same tests, in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
THREE = ("soft_logits", "fitnet", "rkd")
# The goldens, a step of every method, what depends on the backend, and the runner at full scale.
FILES = (
    *("losses/test_loss_golden.py", "test_gradients.py", "test_contrast_memory.py", "methods"),
    *("test_distiller.py", "test_combination.py", "../benchmarks/test_scanned.py"),
)
OF_THE_METHODS = (
    "golden or independent or "
    "(test_method_properties and (once or stays or ends_as or measured)) or "
    "test_gradients or test_contrast_memory or test_distiller or test_combination or test_scanned"
)


def passes_on_jax(*words: str) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *words],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert " passed" in finished.stdout


def test_three_methods() -> None:
    properties = "tests/kd_trainer/methods/test_method_properties.py"
    passes_on_jax(properties, "-k", f"once and ({' or '.join(THREE)})")


@pytest.mark.slow
def test_all_methods_and_what_they_rest_on() -> None:
    paths = [f"tests/kd_trainer/{file}" for file in FILES]
    passes_on_jax(*paths, "-k", OF_THE_METHODS)
