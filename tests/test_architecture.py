"""Imports go one way, and the library stands on its own."""

import ast
from pathlib import Path

import pytest

pytestmark = pytest.mark.light

ROOT = Path(__file__).parents[1]
# What each package may import of our own and, for the library, of the outside.
FORBIDDEN = {
    "kd_trainer": {"components", "pipeline", "schemas", "tfx", "apache_beam", "ml_metadata"},
    "components": {"pipeline"},
    "schemas": {"components", "pipeline", "kd_trainer"},
}
# The part of the library that reads TFX's files and writes what is served.
WITH_TENSORFLOW = {"examples.py", "export.py", "lite.py", "run_fn.py", "warm_up.py"}
# Where a step needs what the backends do differently, and where TensorFlow alone has it.
WITH_EVERY_BACKEND = {"gradients.py", "fused.py"}
# What distributes training: TensorFlow's, and refused on another backend.
DISTRIBUTED = {"distribution.py", "distributed_data.py"}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize("package", FORBIDDEN)
def test_imports_go_one_way(package):
    files = list((ROOT / package).rglob("*.py"))
    assert files
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in files
        for name in set(imported(path)) & FORBIDDEN[package]
    }
    assert not found


def test_methods_networks_and_distiller_know_no_backend():
    others = WITH_TENSORFLOW | WITH_EVERY_BACKEND | DISTRIBUTED
    files = [p for p in (ROOT / "kd_trainer").rglob("*.py") if p.name not in others]
    assert not [path for path in files if {"tensorflow", "jax", "torch"} & set(imported(path))]


def test_kubeflow_folder_holds_no_package():
    assert not list((ROOT / "kubeflow").rglob("*.py"))


@pytest.mark.parametrize("package", ["pipeline", "components", "kd_trainer", "benchmarks", "tests"])
def test_no_text_is_in_the_encoding_of_somebodys_locale(package):
    """Ruff's PLW1514 sees `open` and a path that it knows for one; this, every name."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func).rpartition(".")[2] in ("read_text", "write_text")
        and "encoding" not in {keyword.arg for keyword in node.keywords}
    ]
    assert not found
