"""The library on Keras's JAX backend: the same tests, in a process of their own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent / "kd_trainer"
ON_JAX = [
    "losses/test_loss_golden.py",
    "test_combination.py",
    "test_distiller.py",
    "test_gradients.py",
    "methods",
]


@pytest.mark.slow
@pytest.mark.parametrize("tests", ON_JAX)
def test_the_tests_pass_on_jax(tests: str) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(TESTS / tests)],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        cwd=TESTS.parent.parent,
        capture_output=True,
        text=True,
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert " passed" in finished.stdout
