"""Fingerprints of code and files, which TFX's cache does not look at by itself."""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from components.run_recorder.origin import libraries

_ROOT = Path(__file__).parent.parent
# What components run.
_RUN_BY_COMPONENTS = ("components", "kd_trainer")


def code(*modules: str) -> str:
    """Returns a hash of modules, of all of our own that they import, and of the libraries.

    The folder `templates` beside a module belongs to it.

    Args:
      *modules: dotted names, such as `kd_trainer.run_fn`.
    """
    digest = hashlib.sha256(repr(libraries()).encode())
    files = _closure(modules)
    templates = {path for file in files for path in file.parent.glob("templates/*")}
    for path in sorted(files | templates):
        digest.update(f"\n{path.relative_to(_ROOT)}\n".encode() + path.read_bytes())
    return digest.hexdigest()


def file(path: Path) -> str:
    """Returns a hash of a file's content and of the libraries."""
    return hashlib.sha256(repr(libraries()).encode() + path.read_bytes()).hexdigest()


def _closure(modules: tuple[str, ...]) -> set[Path]:
    found: set[Path] = set()
    waiting = list(modules)
    while waiting:
        for path in _files(waiting.pop()):
            if path not in found:
                found.add(path)
                waiting += _imports(path.read_text(encoding="utf-8"))
    return found


def _files(module: str) -> Iterator[Path]:
    """Yields a module's file and those of the packages that importing it runs."""
    parts = module.split(".")
    if parts[0] not in _RUN_BY_COMPONENTS:
        return
    for end in range(1, len(parts) + 1):
        base = _ROOT.joinpath(*parts[:end])
        for path in (base / "__init__.py", base.with_suffix(".py")):
            if path.is_file():
                yield path


# Of the text: the closures of a pipeline's nodes have most of their files in common.
@cache
def _imports(source: str) -> tuple[str, ...]:
    names: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            # A name may be a submodule; if it is none, its file is not found.
            names += (f"{node.module}.{alias.name}" for alias in node.names)
    return tuple(names)
