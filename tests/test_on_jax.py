"""The library on Keras's JAX backend: the same tests, in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent / "kd_trainer"
BENCHMARKS = Path(__file__).parent / "benchmarks"
# The goldens, a step of every method, and what depends on the backend.
ON_JAX = {
    "losses": ["losses/test_loss_golden.py", "test_gradients.py", "test_contrast_memory.py"],
    "presets": ["methods", "-k", "golden or independent"],
    "steps": ["methods/test_method_properties.py", "-k", "once or stays or ends_as or measured"],
    "distiller": ["test_distiller.py", "test_combination.py"],
    "full scale": [str(BENCHMARKS / "test_scanned.py")],
}


@pytest.mark.slow
@pytest.mark.parametrize("tests", ON_JAX.values(), ids=ON_JAX)
def test_the_tests_pass_on_jax(tests: list[str]) -> None:
    paths = [str(TESTS / test) if (TESTS / test).exists() else test for test in tests]
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *paths],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        cwd=TESTS.parent.parent,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert " passed" in finished.stdout
