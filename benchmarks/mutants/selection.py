"""Selects the tests that reach a mutant, from a coverage.py data file."""

import ast
from collections.abc import Iterator
from pathlib import Path

from coverage import CoverageData

from benchmarks.mutants.drawing import Mutant


class Selection:
    """The tests of a checkout, and which of them execute which line.

    coverage.py with `dynamic_context = test_function` records the test function that was running.
    It records none for fixtures, and none in processes that a test starts: a survivor may be
    noticed by such a test.

    Args:
      root: of the checkout.
      data_file: of coverage.py, combined; it may come from another checkout of the same code.

    Raises:
      ValueError: the data names no test.
    """

    def __init__(self, root: Path, data_file: Path):
        self._data = CoverageData(str(data_file))
        self._data.read()
        self._ids = {
            f"{path.stem}.{name}": f"{path.relative_to(root)}::{name.replace('.', '::')}"
            for path in sorted(root.glob("tests/**/test_*.py"))
            for name in _test_functions(ast.parse(path.read_bytes()))
        }
        if not self._of(self._data.measured_contexts()):
            raise ValueError(f"{data_file}: found no test; record with `dynamic_context`")

    def tests(self, mutant: Mutant) -> list[str]:
        """Returns the tests that reach a mutant, as pytest names them, its module's own first.

        If no test function does, a fixture may: then all tests in the folder that mirrors the
        module's.
        """
        contexts: set[str] = set()
        first, last = mutant.lines
        for file in self._data.measured_files():
            if f"/{file}".endswith(f"/{mutant.file}"):
                by_line = self._data.contexts_by_lineno(file)
                contexts.update(*(by_line.get(line, []) for line in range(first, last + 1)))
        module = Path(mutant.file)

        def distance(test: str) -> tuple[bool, bool, str]:
            path = Path(test.partition("::")[0])
            return module.stem not in path.stem, path.parent != "tests" / module.parent, test

        tests = self._of(contexts) or [t for t in self._ids.values() if not distance(t)[1]]
        return sorted(tests, key=distance)

    def _of(self, contexts: set[str]) -> set[str]:
        found = set()
        for context in contexts:
            # A module's name has its folders or not, by pytest's import mode.
            parts = context.split(".")
            names = (".".join(parts[start:]) for start in range(len(parts)))
            found |= {self._ids[name] for name in names if name in self._ids}
        return found


def _test_functions(tree: ast.Module | ast.ClassDef) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{name}" for name in _test_functions(node))
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            yield node.name
